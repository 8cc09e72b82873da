/**
 * Runs a script of a published package, with the code cache that `npm run package` has made of it. It is in the package only,
 * as a part of the module that stands in place of the script: dev/bundle/code-cache.ts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';

type Load = (id: string) => Promise<unknown>;
type Require = (id: string) => unknown;
type Script = (exports: object, require: Require, module: { exports: object }, load: Load) => void;

/** What a script imports: `modules` are the files of the package that it needs at once, `load` imports the others. */
interface Imports {
  modules: Record<string, object>;
  load: Load;
}

/**
 * Runs the script at `filename` and gives what it exports. V8 refuses a cache that another version has made, or the same one
 * with other flags; the script is then compiled, as without a cache.
 */
export function runScript(filename: string, { modules, load }: Imports): object {
  const cachedData = read(codeCacheOf(filename));
  const source = readFileSync(filename, 'utf8');
  const script = new vm.Script(source, { filename, ...(cachedData && { cachedData }) });
  const builtIn = createRequire(filename);
  const module = { exports: {} };
  const run = script.runInThisContext() as Script;
  run(module.exports, (id) => modules[id] ?? builtIn(id), module, load);
  return module.exports;
}

/** The file with the code cache of a script for this Node. A package may have several. */
export const codeCacheOf = (script: string): string =>
  script.replace(/cjs$/, `${process.version}-${process.platform}-${process.arch}.cache`);

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // Made for another Node.
    return undefined;
  }
}
