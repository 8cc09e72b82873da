/** `npm run package`: writes out/, the folder that is published to Azure. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stack/root.ts';
import { buildApp } from './bundle/bundle.ts';
import { compileAhead } from './bundle/code-cache.ts';

/** Replaces the folder `out` with the files that the built app needs at run time, and compiles it ahead. */
export async function writePackage(out: string): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  for (const name of ['dist', 'host.json']) {
    const source = join(root, name);
    if (existsSync(source)) cpSync(source, join(out, name), { recursive: true, filter: isNeeded });
  }
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, type, main: entry } = manifest;
  // No dependencies: dist/ is bundled, and publishing would install them needlessly.
  writeFileSync(
    join(out, 'package.json'),
    `${JSON.stringify({ name, version, type, main: entry }, null, 2)}\n`,
  );
  await compileAhead(out);
}

/** Source maps are for development only. */
const isNeeded = (file: string): boolean => !file.endsWith('.map');

/** The help text. */
export const help = `npm run package

Builds the app and writes out/, the folder that is published to Azure. It needs no node_modules. Its services are compiled
ahead for the Node that runs this command; another Node compiles them when it starts. For this, the app is asked two questions,
with emulated services.`;

/** Builds the app and writes the package. */
export async function main(): Promise<void> {
  await buildApp();
  await writePackage(join(root, 'out'));
  console.log(
    'Wrote out/. To publish: cd out && func azure functionapp publish APP_NAME --no-build --javascript',
  );
}
