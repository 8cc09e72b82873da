/**
 * The worker of an app in its own process, without a functions host: the caller plays the host, as Azure's host is
 * another process. It sends the HTTP request to the library's own server, and tells the worker of the invocation.
 */
import type { ChildProcess } from 'node:child_process';
import type { Invocation } from '../../dev/functions-host/app.ts';
import type { Child } from '../../dev/stack/child-process.ts';

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

/** Waits until the worker, a process of bench/harness/worker.ts, accepts requests. @throws Error when it ends before. */
export async function toWorker(child: Child, route: string): Promise<WorkerProcess> {
  return {
    url: (await child.message()) as string,
    path: `/${route}`,
    process: child.process,
    invoke: (id) =>
      void child.process.send({ id, data: {}, triggerMetadata: TRIGGER_METADATA } satisfies Invocation),
    stop: () => child.stop('stop', STOP_TIMEOUT_MS),
  };
}
