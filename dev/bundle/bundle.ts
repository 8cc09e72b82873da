/** Bundles the function app: a small entry file, chunks that are loaded on demand, and the chat page. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { build, type BuildResult, type Metafile, type Plugin } from 'esbuild';
import { root } from '../stack/root.ts';
import { leanBundle } from './lean-bundle.ts';
import { replaceFolder } from './output.ts';
import { bundlePage } from './page.ts';

const DIST = join(root, 'dist');
/**
 * What the last build read and wrote, with paths relative to the project. Not in the project: the real host watches it, and
 * would restart for this file too.
 */
const LAST_BUILD = join(
  tmpdir(),
  `azure-functions-ask-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`,
  'build.json',
);
/** They change what is built without being part of it. */
const TOOLS = [
  ...['bundle', 'lean-bundle', 'output', 'page'].map((name) => `dev/bundle/${name}.ts`),
  'package-lock.json',
];

/** CommonJS packages call `require` for Node's built-in modules; an ES module has no `require` of its own. */
export const REQUIRE =
  "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);";

interface BuildRecord {
  inputs: string[];
  outputs: string[];
}

/** Builds src/main.ts into dist/, and public/ into dist/page/. */
export async function buildApp(): Promise<void> {
  rmSync(LAST_BUILD, { force: true });
  const [app, page] = await Promise.all([
    bundleFiles('src/main.ts', DIST, [leanBundle(root)]),
    bundlePage(join(DIST, 'page')),
  ]);
  const files = [...app.outputFiles, ...page.files];
  replaceFolder(DIST, files);
  // Modules that a plugin made have a name with a colon.
  const inputs = [...Object.keys(app.metafile.inputs), ...page.inputs].filter((name) => !name.includes(':'));
  const outputs = files.map(({ path }) => relative(root, path));
  const record: BuildRecord = { inputs: [...inputs, ...TOOLS], outputs };
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
  const { outputFiles, metafile } = await bundleFiles(entry, outdir, plugins);
  replaceFolder(outdir, outputFiles);
  return metafile;
}

function bundleFiles(
  entry: string,
  outdir: string,
  plugins: Plugin[],
): Promise<BuildResult<{ write: false; metafile: true }>> {
  return build({
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
    banner: { js: REQUIRE },
    // The worker provides the first; the others are for drivers of @keyv/sqlite that the app does not use.
    external: ['@azure/functions-core', 'better-sqlite3', 'bun:sqlite'],
    plugins,
    metafile: true,
    logLevel: 'warning',
    write: false,
  });
}
