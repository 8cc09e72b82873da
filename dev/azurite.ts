/** `npm run azurite`: all services of Azurite, on the ports that `UseDevelopmentStorage=true` means. */
import { once } from 'node:events';
import { join } from 'node:path';
import { startAzurite } from './stack/azurite.ts';
import { root } from './stack/root.ts';

/** The help text. */
export const help = `npm run azurite

Runs Azurite, the local emulator of Azure Storage, with its data in .data/azurite: blob, queue and table on the ports 10000,
10001 and 10002, which UseDevelopmentStorage=true means.`;

/** Runs Azurite until a signal stops it. */
export async function main(): Promise<void> {
  const azurite = await startAzurite(join(root, '.data', 'azurite'));
  console.log(
    'Azurite: blob, queue and table on ports 10000, 10001 and 10002; data in .data/azurite. Stop with Ctrl-C.',
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void azurite.stop());
  const [code] = (await once(azurite.process, 'exit')) as [number | null];
  process.exitCode = code ?? 0;
}
