/** Runs `npm start` as a child process for the performance test. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../stack/root.ts';
import { stopChild } from '../stack/child-process.ts';

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
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C must not stop the app while requests are in flight.
    detached: process.platform !== 'win32',
  });
  const stop = async (): Promise<void> => {
    await stopChild(child, 'stop', STOP_TIMEOUT_MS);
    rmSync(dataFolder, { recursive: true, force: true });
  };
  let output = '';
  const serving = new Promise<void>((resolve, reject) => {
    const read = (data: Buffer): void => {
      // Keeps reading, so that the pipe does not fill up, but stores only the end, for the error message.
      output = (output + data.toString()).slice(-10_000);
      if (output.includes('Stop with Ctrl-C')) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`The local app did not start:\n${output.trim()}`)));
    signal.addEventListener('abort', () => reject(new Error('Stopped before the local app was ready.')));
  });
  try {
    await serving;
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
