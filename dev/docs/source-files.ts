/** The list of source files in AGENTS.md: each file of `src` with the first sentence of its docstring. */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from '../stack/root.ts';

/** Makes the list. @throws Error when a file does not begin with a docstring. */
export function sourceFileList(): string {
  const files = globSync('src/**/*.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'));
  const folders = Map.groupBy(files.toSorted(), (path) => dirname(path));
  return [...folders]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([folder, paths]) => [`\`${folder}\``, '', ...paths.map((path) => lineOf(path))].join('\n'))
    .join('\n\n');
}

const lineOf = (path: string): string =>
  `- \`${basename(path)}\`: ${firstSentence(readFileSync(join(root, path), 'utf8'), path)}`;

function firstSentence(source: string, path: string): string {
  const [, comment] = /^(?:\/\* oxlint[^\n]*\n)?\/\*\*(.*?)\*\//s.exec(source) ?? [];
  if (comment === undefined) throw new Error(`${path} does not begin with a docstring.`);
  const text = comment
    .replaceAll(/\n \* ?/g, ' ')
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .trim();
  return text.split(/\.(?=\s|$)/, 1)[0] ?? '';
}
