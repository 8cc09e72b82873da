/** Runs the local functions host as a child process. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/lib/config/config.ts';
import { startNode } from './child-process.ts';

/** The host stops within 5 s; after one more second it is considered hung. */
const STOP_TIMEOUT_MS = 6000;

/** Options of {@link startHostProcess}. */
export interface HostOptions {
  /** Folder of the function app. */
  root: string;
  /** 0 takes a free port. */
  port: number;
  env: Environment;
  enableAuth?: boolean;
  /** Opens the inspector on this port of 127.0.0.1. */
  inspect?: number | undefined;
  /** Receives the output of the host and the app. By default they inherit the streams of this process. */
  onOutput?: ((text: string) => void) | undefined;
}

/** A running host. */
export interface HostProcess {
  url: string;
  functionKey: string;
  masterKey: string;
  process: ChildProcess;
  /** Stops the host as Azure does, with time for the app to finish. Returns the exit code. */
  stop(): Promise<number | null>;
}

type HostMessage =
  | { type: 'ready'; port: number; functionKey: string; masterKey: string }
  | { type: 'failed'; code: string; message: string };

/**
 * Starts the host and waits until it accepts requests.
 * @throws Error when it cannot start, for example because the port is taken.
 */
export async function startHostProcess(options: HostOptions): Promise<HostProcess> {
  const { root, port, env, enableAuth = false, inspect, onOutput } = options;
  const execArgv = inspect === undefined ? [] : [`--inspect=127.0.0.1:${inspect}`, '--enable-source-maps'];
  const program = fileURLToPath(new URL('../functions-host/host.ts', import.meta.url));
  const args = ['--root', root, '--port', String(port), ...(enableAuth ? ['--enable-auth'] : [])];
  const child = startNode([...execArgv, program, ...args], { env, ipc: true, output: onOutput ?? 'inherit' });

  const message = (await child.message()) as HostMessage;
  if (message.type === 'failed')
    throw new Error(message.code === 'EADDRINUSE' ? `Port ${port} is in use.` : message.message);
  return {
    url: `http://localhost:${message.port}`,
    functionKey: message.functionKey,
    masterKey: message.masterKey,
    process: child.process,
    stop: () => child.stop('stop', STOP_TIMEOUT_MS),
  };
}
