/** Runs `npm start` as a child process for the performance test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../stack/root.ts';
import { startNode } from '../stack/child-process.ts';

/** Longer than the time limits of the host and Azurite together. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Starts the local stack with data of its own, and waits until it accepts requests.
 * @throws Error with its output when it does not start.
 */
export async function startLocalApp(
  port: number,
  signal: AbortSignal,
): Promise<{ stop: () => Promise<unknown> }> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'ask-perf-'));
  const preload = new URL('../stack/exit-with-parent.js', import.meta.url).href;
  const preloaded = ['--import', preload, join(root, 'dev/run.js')];
  const args = [...preloaded, 'start', '--port', String(port), '--data', dataFolder];
  // Ctrl-C must not stop the app while requests are in flight.
  const child = startNode(args, { cwd: root, ipc: true, ownGroup: true });
  const stop = async (): Promise<void> => {
    await child.stop('stop', STOP_TIMEOUT_MS);
    rmSync(dataFolder, { recursive: true, force: true });
  };
  const stopped = new Promise<void>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('Stopped before the local app was ready.')));
  });
  try {
    await Promise.race([child.printed('Stop with Ctrl-C'), stopped]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
