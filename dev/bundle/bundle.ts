/** Bundles the function app: a small entry file, and chunks that are loaded on demand. */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { root } from '../stack/root.ts';
import { leanBundle } from './lean-bundle.ts';

const DIST = join(root, 'dist');
/** What the last build read and wrote, with paths relative to the project. */
const LAST_BUILD = join(root, 'node_modules', '.cache', 'azure-functions-ask', 'build.json');
/** They change what is built without being part of it. */
const TOOLS = ['dev/bundle/bundle.ts', 'dev/bundle/lean-bundle.ts', 'package-lock.json'];

interface BuildRecord {
  inputs: string[];
  outputs: string[];
}

/** Builds src/main.ts into dist/. */
export async function buildApp(): Promise<void> {
  rmSync(LAST_BUILD, { force: true });
  const { inputs, outputs } = await bundle('src/main.ts', DIST, [leanBundle(root)]);
  // Modules that a plugin made have a name with a colon.
  const files = Object.keys(inputs).filter((name) => !name.includes(':'));
  const record: BuildRecord = { inputs: [...files, ...TOOLS], outputs: Object.keys(outputs) };
  mkdirSync(dirname(LAST_BUILD), { recursive: true });
  writeFileSync(LAST_BUILD, JSON.stringify(record));
}

/** Builds unless the last build is complete and newer than all that it read. */
export async function buildAppIfChanged(): Promise<void> {
  if (!isUpToDate()) await buildApp();
}

function isUpToDate(): boolean {
  try {
    const { inputs, outputs } = JSON.parse(readFileSync(LAST_BUILD, 'utf8')) as BuildRecord;
    const builtAt = statSync(LAST_BUILD).mtimeMs;
    return [...inputs, ...outputs].every((path) => statSync(join(root, path)).mtimeMs < builtAt);
  } catch {
    // Never built, or a file is gone.
    return false;
  }
}

/**
 * Bundles `entry`, a file of the project, with everything that it imports into the folder `outdir`, so that it runs
 * without node_modules. Returns esbuild's metafile, which lists the contents.
 */
export async function bundle(entry: string, outdir: string, plugins: Plugin[] = []): Promise<Metafile> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    // Licences are published in files of their own, which no cold start reads.
    legalComments: 'external',
    sourcemap: true,
    chunkNames: 'chunks/[name]-[hash]',
    // CommonJS packages call `require` for Node's built-in modules; an ES module has no `require` of its own.
    banner: {
      js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
    },
    // The worker provides the first; the others are for drivers of @keyv/sqlite that the app does not use.
    external: ['@azure/functions-core', 'better-sqlite3', 'bun:sqlite'],
    plugins,
    metafile: true,
    logLevel: 'warning',
    write: false,
  });
  replaceFolder(outdir, outputFiles);
  return metafile;
}

/**
 * Writes changed files and removes obsolete ones. A build without changes does not touch the files of a running app.
 */
function replaceFolder(folder: string, files: readonly OutputFile[]): void {
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  const current = new Set(files.map(({ path }) => path));
  const present = globSync('**/*.{js,map,txt}', { cwd: folder }).map((name) => join(folder, name));
  for (const path of present) if (!current.has(path)) rmSync(path);
}
