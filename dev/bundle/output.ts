/** Writes the files of a build. */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file that a build made. */
export interface BuiltFile {
  path: string;
  contents: Uint8Array;
}

/**
 * Writes changed files and removes obsolete ones. A build without changes does not touch the files of a running app.
 */
export function replaceFolder(folder: string, files: readonly BuiltFile[]): void {
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  const current = new Set(files.map(({ path }) => path));
  const present = globSync('**/*.{js,map,txt,html,json,br,gz}', { cwd: folder }).map((name) =>
    join(folder, name),
  );
  for (const path of present) if (!current.has(path)) rmSync(path);
}
