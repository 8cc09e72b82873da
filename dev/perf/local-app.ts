/** The local stack for the performance test, as `npm start` runs it, in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../stack/root.ts';
import { stopChild } from '../stack/child-process.ts';

/** Longer than the host and Azurite may take to stop. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Starts it and waits until it serves.
 * @throws Error with what it printed when it cannot.
 */
export async function startLocalApp(
  port: number,
  signal: AbortSignal,
): Promise<{ stop: () => Promise<unknown> }> {
  const preload = new URL('../stack/exit-with-parent.js', import.meta.url).href;
  const args = ['--import', preload, join(root, 'dev/run.js'), 'start', '--port', String(port)];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Not in our process group: Ctrl-C must not stop it under the requests that are on their way.
    detached: process.platform !== 'win32',
  });
  const stop = (): Promise<unknown> => stopChild(child, 'stop', STOP_TIMEOUT_MS);
  let output = '';
  const serving = new Promise<void>((resolve, reject) => {
    const read = (data: Buffer): void => {
      // Read on for as long as it runs, or its pipe fills up; but keep only what may explain a failed start.
      output = (output + data.toString()).slice(-10_000);
      if (output.includes('Stop with Ctrl-C')) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`The local app did not start:\n${output.trim()}`)));
    signal.addEventListener('abort', () => reject(new Error('Stopped before the local app was up.')));
  });
  try {
    await serving;
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
