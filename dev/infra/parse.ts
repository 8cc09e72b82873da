/** Parses the Bicep files without the compiler, which not every machine has. */
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Language, type Node, Parser } from 'web-tree-sitter';

/** Returns the places in the .bicep files of `folder` that cannot be parsed, and the number of files. */
export async function parseBicep(folder: string): Promise<{ files: number; problems: string[] }> {
  await Parser.init();
  const require = createRequire(import.meta.url);
  const grammar = dirname(require.resolve('tree-sitter-bicep/package.json'));
  const parser = new Parser();
  parser.setLanguage(await Language.load(join(grammar, 'tree-sitter-bicep.wasm')));
  const files = globSync('**/*.bicep', { cwd: folder });
  const problems = files.flatMap((file) => {
    const tree = parser.parse(readFileSync(join(folder, file), 'utf8'));
    return tree === null ? [] : errorsIn(tree.rootNode).map((place) => `${file}:${place}`);
  });
  return { files: files.length, problems };
}

/** The innermost errors below a node, as `line: kind`. */
function errorsIn(node: Node): string[] {
  if (!node.hasError) return [];
  const inside = node.children.flatMap((child) => (child ? errorsIn(child) : []));
  if (inside.length > 0) return inside;
  const what = node.isMissing ? `${node.type} is missing` : 'cannot be parsed';
  return [`${node.startPosition.row + 1}: ${what}`];
}
