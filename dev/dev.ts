/** `npm run dev`: `npm start`, which rebuilds the app and restarts the functions host at each change. */
import { watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildApp } from './bundle/bundle.ts';
import type { LocalStack } from './stack/local-stack.ts';
import { root } from './stack/root.ts';
import { help as startHelp } from './stack/start-options.ts';
import { runStack } from './start.ts';

/** Editors write a file in several steps. */
const SETTLE_MS = 100;

/** The help text. */
export const help = `${startHelp.replace('npm start -- ', 'npm run dev -- ')}

Rebuilds the app and restarts the functions host when a file in src/ or public/ changes. Azurite and the emulated model
keep running, so that sessions are kept. Changed settings need a new start.`;

/** Runs the stack until it is stopped. */
export const main = (args: string[]): Promise<void> => runStack(args, restartAtChanges);

/** Never ends: a host that ended by itself is started again at the next change. */
async function restartAtChanges(stack: LocalStack): Promise<never> {
  let change = Promise.withResolvers<string>();
  for (const folder of ['src', 'public']) {
    // Not persistent: when the stack has stopped, nothing else keeps the process alive.
    watch(join(root, folder), { recursive: true, persistent: false }, (_, file) => {
      change.resolve(join(folder, file ?? ''));
    });
  }
  for (;;) {
    const name = await change.promise;
    await delay(SETTLE_MS);
    change = Promise.withResolvers();
    await rebuildAndRestart(stack, `${name} changed`);
  }
}

async function rebuildAndRestart(stack: LocalStack, reason: string): Promise<void> {
  const startedAt = performance.now();
  try {
    await buildApp();
    await stack.restartHost();
    console.log(`${reason}: restarted in ${Math.round(performance.now() - startedAt)} ms.`);
  } catch (error) {
    // esbuild has printed the errors of a failed build.
    const isBuild = error instanceof Error && 'errors' in error;
    console.error(
      `${reason}: not restarted${isBuild ? ', the last build still runs' : `: ${String(error)}`}.`,
    );
  }
}
