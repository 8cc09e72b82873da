/**
 * The caller of an invocation: whether it has disconnected, and how fast it reads. The Functions library reports
 * neither, but it has an HTTP server of its own in this process, and Node publishes each request to that server, with
 * the id of the invocation in a header.
 */
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The abort reason when the caller disconnects. It is not logged as an error. */
export class CallerDisconnectedError extends Error {
  override readonly name = 'CallerDisconnectedError';

  constructor() {
    super('The caller has disconnected.');
  }
}

/** The caller of one invocation. */
export interface Caller {
  /** Aborts, with {@link CallerDisconnectedError}, when the caller disconnects before the response is complete. */
  disconnected: AbortSignal;
  /** Resolves when more can be written without buffering, when the caller disconnects, or when `signal` aborts. */
  ready(signal: AbortSignal): Promise<void>;
}

const responses = new Map<string, ServerResponse>();

/** Starts to observe requests. Call it once, before the first invocation. */
export function watchCallers(): void {
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const id = request.headers['x-ms-invocation-id'];
    if (typeof id !== 'string') return;
    responses.set(id, response);
    response.once('close', () => responses.delete(id));
  });
}

/** Gives the caller of an invocation. An unknown caller counts as connected. */
export function callerOf(invocationId: string): Caller {
  const response = responses.get(invocationId);
  const disconnect = new AbortController();
  response?.once('close', () => {
    if (!response.writableFinished) disconnect.abort(new CallerDisconnectedError());
  });
  return {
    disconnected: disconnect.signal,
    async ready(signal) {
      // `drain` is emitted only after a write has filled the buffer.
      if (!response?.writableNeedDrain || disconnect.signal.aborted) return;
      // Rejects when a signal aborts, or when the connection fails because the caller has disconnected.
      await once(response, 'drain', { signal: AbortSignal.any([signal, disconnect.signal]) }).catch(() => {});
    },
  };
}
