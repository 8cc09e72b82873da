/** The local functions host as a child process: starting it, and stopping it without leaving it behind. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/lib/config/config.ts';
import { stopChild } from './child-process.ts';

/** The host ends 5 s after it was told to stop; a second more, and it hangs. */
const STOP_TIMEOUT_MS = 6000;

/** How the host is started. */
export interface HostOptions {
  /** Folder of the function app. */
  root: string;
  /** 0 for a free one. */
  port: number;
  env: Environment;
  enableAuth?: boolean;
  /** Gets what the host and the app print; by default it goes where ours goes. */
  onOutput?: (text: string) => void;
}

/** A running host. */
export interface HostProcess {
  url: string;
  functionKey: string;
  masterKey: string;
  process: ChildProcess;
  /** Stops it as the platform does: the app gets time to finish. Gives the exit code. */
  stop(): Promise<number | null>;
}

/** The host could not start; `code` is `EADDRINUSE` when its port is taken. */
export class HostStartError extends Error {
  override readonly name = 'HostStartError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type HostMessage =
  | { type: 'ready'; port: number; functionKey: string; masterKey: string }
  | { type: 'failed'; code: string; message: string };

/**
 * Starts the host and waits until it serves.
 * @throws HostStartError when it cannot.
 */
export async function startHostProcess(options: HostOptions): Promise<HostProcess> {
  const { root, port, env, enableAuth = false, onOutput } = options;
  const child = fork(
    fileURLToPath(new URL('../functions-host/host.ts', import.meta.url)),
    ['--root', root, '--port', String(port), ...(enableAuth ? ['--enable-auth'] : [])],
    { env, stdio: ['ignore', onOutput ? 'pipe' : 'inherit', onOutput ? 'pipe' : 'inherit', 'ipc'] },
  );
  child.stdout?.on('data', (data: Buffer) => onOutput?.(data.toString()));
  child.stderr?.on('data', (data: Buffer) => onOutput?.(data.toString()));

  const message = await firstMessage(child);
  if (message.type === 'failed') throw new HostStartError(message.code, message.message);
  return {
    url: `http://localhost:${message.port}`,
    functionKey: message.functionKey,
    masterKey: message.masterKey,
    process: child,
    stop: () => stopChild(child, 'stop', STOP_TIMEOUT_MS),
  };
}

function firstMessage(child: ChildProcess): Promise<HostMessage> {
  return new Promise((resolve) => {
    child.once('message', (message) => resolve(message as HostMessage));
    child.once('error', (error) => resolve({ type: 'failed', code: 'EXIT', message: error.message }));
    child.once('exit', (code, signal) =>
      resolve({
        type: 'failed',
        code: 'EXIT',
        message: `The functions host ended at its start (${signal ?? code}).`,
      }),
    );
  });
}
