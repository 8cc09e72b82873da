/** Builds the app into dist/: npm run build. One entry for each function; what they share is split into chunks. */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Folder of the project. */
export const root = join(import.meta.dirname, '..');

/** Bundles src/functions/*.ts with all that they import, so that the app runs without node_modules. */
export async function buildApp(): Promise<void> {
  const outdir = join(root, 'dist');
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: globSync('src/functions/*.ts', { cwd: root }),
    outbase: 'src',
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    sourcemap: true,
    chunkNames: 'chunks/[name]-[hash]',
    // Packages in CommonJS call require for Node's own modules; in an ES module it has to be made.
    banner: {
      js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
    },
    // The worker provides the first; the others belong to drivers of @keyv/sqlite that we do not use.
    external: ['@azure/functions-core', 'better-sqlite3', 'bun:sqlite'],
    logLevel: 'warning',
  });
}

/** `npm run build`. */
export const main = buildApp;
