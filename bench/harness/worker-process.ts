/**
 * The worker of an app in its own process, without a functions host: the caller plays the host, as Azure's host is
 * another process. It sends the HTTP request to the library's own server, and tells the worker of the invocation.
 */
import type { ChildProcess } from 'node:child_process';
import type { Invocation } from '../../dev/functions-host/app.ts';
import { startNode } from '../../dev/stack/child-process.ts';
import type { Environment } from '../../src/lib/config/config.ts';

const STOP_TIMEOUT_MS = 6000;

/** What a host tells of an HTTP request, beside the request itself. */
const TRIGGER_METADATA = {
  Headers: { json: JSON.stringify({ 'content-type': 'application/json', host: 'localhost' }) },
  Query: { json: '{}' },
};

/** A running worker. */
export interface WorkerProcess {
  /** Address of the library's server. It answers a request when the worker knows its invocation. */
  url: string;
  /** Path of the function. */
  path: string;
  process: ChildProcess;
  /** Begins an invocation of the function, with the id that its HTTP request has in `x-ms-invocation-id`. */
  invoke(id: string): void;
  /** Ends the worker, with time for the app to finish. Returns the exit code. */
  stop(): Promise<number | null>;
}

/** Options of {@link startWorkerProcess}. */
export interface WorkerOptions {
  /** The built bench/harness/worker.ts: a cold start must not include its compilation. */
  program: string;
  /** Folder of the function app. */
  root: string;
  /** Route of the function that is asked. */
  route: string;
  env: Environment;
  onOutput: (text: string) => void;
}

/** Starts the worker and waits until it accepts requests. @throws Error when it ends before. */
export async function startWorkerProcess({
  program,
  root,
  route,
  env,
  onOutput,
}: WorkerOptions): Promise<WorkerProcess> {
  const child = startNode([program, '--root', root, '--route', route], { env, ipc: true, output: onOutput });
  const url = (await child.message()) as string;
  return {
    url,
    path: `/${route}`,
    process: child.process,
    invoke: (id) =>
      void child.process.send({ id, data: {}, triggerMetadata: TRIGGER_METADATA } satisfies Invocation),
    stop: () => child.stop('stop', STOP_TIMEOUT_MS),
  };
}
