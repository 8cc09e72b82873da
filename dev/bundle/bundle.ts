/** Bundles the function app: a small entry file, and chunks that are loaded on demand. */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { root } from '../stack/root.ts';
import { leanBundle } from './lean-bundle.ts';

/** Builds src/main.ts into dist/. */
export async function buildApp(): Promise<void> {
  await bundle('src/main.ts', join(root, 'dist'), [leanBundle(root)]);
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
