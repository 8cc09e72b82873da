/**
 * Runs a script of a published package, with the code cache that `npm run package` has made of it. It is in the package only,
 * as a part of the module that stands in place of the script: dev/bundle/code-cache.ts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import vm from 'node:vm';

type Script = (exports: object, require: (id: string) => unknown, module: { exports: object }) => void;

/**
 * Runs `NAME.cjs` in `folder` and gives what it exports. `modules` are the files of the package that it imports. V8 refuses a
 * cache that another version has made, or the same one with other flags; the script is then compiled, as without a cache.
 */
export function runScript(folder: string, name: string, modules: Record<string, object>): object {
  const filename = join(folder, `${name}.cjs`);
  const cachedData = read(codeCacheOf(filename));
  const script = new vm.Script(readFileSync(filename, 'utf8'), {
    filename,
    ...(cachedData && { cachedData }),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const builtIn = createRequire(filename);
  const module = { exports: {} };
  const run = script.runInThisContext() as Script;
  run(module.exports, (id) => modules[id] ?? builtIn(id), module);
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
