/**
 * Compiles a package ahead: the largest file that a first question loads becomes a script with V8's code cache, in which are
 * the functions that a first question calls. docs/decisions/dependencies.md says why, and why not with Node's own cache.
 */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { build, transform } from 'esbuild';
import { codeCacheOf } from '../../src/lib/app/run-script.ts';
import { startEmulator } from '../azure-openai-emulator/emulator.ts';
import { startAzuriteTables } from '../stack/azurite.ts';
import { systemEnvironment } from '../stack/child-process.ts';
import { startHostProcess } from '../stack/host-process.ts';
import { root } from '../stack/root.ts';
import { emulatorSettings } from '../stack/settings.ts';
import { REQUIRE } from './bundle.ts';

const RECORDER = new URL('record-code-cache.ts', import.meta.url).href;

/**
 * Makes a script of the services and their libraries in the package `out`, and the code cache of this script for the Node that
 * runs now. @throws Error when the app in the package does not answer.
 */
export async function compileAhead(out: string): Promise<void> {
  const script = await toScript(servicesFile(join(out, 'dist/chunks')));
  await askFirstQuestions(out);
  if (!existsSync(codeCacheOf(script)))
    throw new Error(`The app has not written the code cache of ${script}.`);
}

/** The module of the services and of all that is bundled with them. The file that is imported by name re-exports it. */
function servicesFile(chunks: string): string {
  const [entry = ''] = globSync('services-*.js', { cwd: chunks });
  const [, name] =
    /import\{\w+ as \w+\}from"\.\/([^"]+)"/.exec(readFileSync(join(chunks, entry), 'utf8')) ?? [];
  if (name === undefined) throw new Error(`${entry} does not re-export the services.`);
  return join(chunks, name);
}

/**
 * Makes a CommonJS script of a module, because only scripts can be given a code cache. A module that runs it takes its place.
 * Returns the path of the script.
 */
async function toScript(file: string): Promise<string> {
  const { exports, imports, late } = await interfaceOf(file);
  const { code, warnings } = await transform(readFileSync(file, 'utf8').replace(REQUIRE, ''), {
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minify: true,
  });
  if (warnings.length > 0) throw new Error(`${file} cannot be a script: ${warnings[0]?.text}`);
  const script = file.replace(/js$/, 'cjs');
  // For `import()` in a script, Node has only an option that it calls experimental, with a warning in the log.
  const loading = late.reduce((text, path) => text.replaceAll(`import("${path}")`, `load("${path}")`), code);
  // A module is always strict, a script only when it says so.
  writeFileSync(script, `(function(exports,require,module,load){'use strict';${loading}})`);
  await build({
    stdin: { contents: loaderOf(script, exports, imports), resolveDir: root },
    outfile: file,
    allowOverwrite: true,
    bundle: true,
    external: imports,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    logLevel: 'warning',
  });
  return script;
}

/** The names that a module exports, the files of the package that it imports at once, and what it imports later. */
async function interfaceOf(file: string): Promise<{ exports: string[]; imports: string[]; late: string[] }> {
  const { metafile } = await build({
    entryPoints: [file],
    outdir: dirname(file),
    format: 'esm',
    write: false,
    metafile: true,
  });
  const [output] = Object.values(metafile.outputs);
  const pathsOf = (wanted: string): string[] =>
    (output?.imports ?? []).filter(({ kind }) => kind === wanted).map(({ path }) => path);
  const imports = pathsOf('import-statement').filter((path) => path.startsWith('./'));
  return { exports: output?.exports ?? [], imports, late: pathsOf('dynamic-import') };
}

const loaderOf = (script: string, exports: string[], imports: string[]): string => `
  import { runScript } from './src/lib/app/run-script.ts';
  ${imports.map((path, index) => `import * as module${index} from '${path}';`).join('\n')}
  const modules = { ${imports.map((path, index) => `'${path}': module${index}`).join(', ')} };
  const load = (id) => import(id);
  const script = import.meta.dirname + '/${basename(script)}';
  export const { ${exports.join(', ')} } = runScript(script, { modules, load });
`;

/** Asks the app a first question, and one as a stream, with emulated services. */
async function askFirstQuestions(out: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-code-cache-'));
  const [azurite, emulator] = await Promise.all([startAzuriteTables(), startEmulator()]);
  try {
    await askApp(out, {
      ...emulatorSettings(emulator),
      AzureWebJobsStorage: azurite.connectionString,
      ANSWER_CACHE_PATH: join(folder, 'answers.sqlite'),
    });
  } finally {
    await Promise.all([azurite.stop(), emulator.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function askApp(out: string, settings: Record<string, string>): Promise<void> {
  const recording = { LOG_LEVEL: 'warn', NODE_OPTIONS: `--import ${RECORDER}` };
  const env = { ...systemEnvironment(), ...settings, ...recording };
  const host = await startHostProcess({ root: out, port: 0, env });
  try {
    for (const stream of [false, true]) await ask(host.url, stream);
  } finally {
    // The app writes the code cache when it ends.
    await host.stop();
  }
}

async function ask(url: string, stream: boolean): Promise<void> {
  const response = await fetch(`${url}/ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ question: `Is the answer a stream? ${stream}`, stream }),
  });
  const text = await response.text();
  if (!text.includes('"answer"')) throw new Error(`The app in the package does not answer: ${text}`);
}
