/** Bundles functions: a small entry, and chunks that are loaded when they are needed. */
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
 * Bundles functions with all that they import, so that they run without node_modules: `entry`, a file of the project,
 * into the folder `outdir`. Gives esbuild's account of what is in it.
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
    sourcemap: true,
    chunkNames: 'chunks/[name]-[hash]',
    // Packages in CommonJS call require for Node's own modules; in an ES module it has to be made.
    banner: {
      js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
    },
    // The worker provides the first; the others belong to drivers of @keyv/sqlite that we do not use.
    external: ['@azure/functions-core', 'better-sqlite3', 'bun:sqlite'],
    plugins,
    metafile: true,
    logLevel: 'warning',
    write: false,
  });
  replaceFolder(outdir, outputFiles);
  return metafile;
}

/** Writes what has changed and removes what is left over, so that a build without changes disturbs no running app. */
function replaceFolder(folder: string, files: readonly OutputFile[]): void {
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  const current = new Set(files.map(({ path }) => path));
  const present = globSync('**/*.{js,map}', { cwd: folder }).map((name) => join(folder, name));
  for (const path of present) if (!current.has(path)) rmSync(path);
}
