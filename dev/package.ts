/** `npm run package`: writes out/, the folder that is published to Azure as it is. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stack/root.ts';
import { buildApp } from './bundle/bundle.ts';

/** Writes what the built app needs at run time, and nothing else, to the folder `out`, replacing it. */
export function writePackage(out: string): void {
  rmSync(out, { recursive: true, force: true });
  for (const name of ['dist', 'public', 'host.json']) {
    const source = join(root, name);
    // Source maps and types are for the developer. A part that the project does not have is not needed.
    if (existsSync(source)) cpSync(source, join(out, name), { recursive: true, filter: isNeeded });
  }
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, type, main: entry } = manifest;
  // No dependencies: dist is bundled, and the publisher would install them for nothing.
  writeFileSync(
    join(out, 'package.json'),
    `${JSON.stringify({ name, version, type, main: entry }, null, 2)}\n`,
  );
}

const isNeeded = (file: string): boolean => !/\.map$|tsconfig\.json$/.test(file);

/** `npm run package`. */
export async function main(): Promise<void> {
  await buildApp();
  writePackage(join(root, 'out'));
  console.log(
    'Wrote out/. Publish it: cd out && func azure functionapp publish APP_NAME --no-build --javascript',
  );
}
