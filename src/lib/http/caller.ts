/**
 * The caller's side of an invocation: whether it is still there, and how fast it reads. The library tells neither, but
 * Node announces every request to the library's own HTTP server, with the id of its invocation.
 */
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Why work ends whose caller has left. It is no failure of anything, and nobody is told of it. */
export class CallerLeft extends Error {
  override readonly name = 'CallerLeft';

  constructor() {
    super('The caller has left.');
  }
}

/** The caller of one invocation. */
export interface Caller {
  /** Aborted, with {@link CallerLeft}, when the caller disconnected before the answer was complete. */
  disconnected: AbortSignal;
  /** Resolves when the caller has read enough for more to be written, or has left, or `signal` aborts. */
  ready(signal: AbortSignal): Promise<void>;
}

const responses = new Map<string, ServerResponse>();

/** Begins to watch; called once, before the first invocation. */
export function watchCallers(): void {
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const id = request.headers['x-ms-invocation-id'];
    if (typeof id !== 'string') return;
    responses.set(id, response);
    response.once('close', () => responses.delete(id));
  });
}

/** Gives the caller of an invocation; one that is not known is taken to be there. */
export function callerOf(invocationId: string): Caller {
  const response = responses.get(invocationId);
  const gone = new AbortController();
  response?.once('close', () => {
    if (!response.writableFinished) gone.abort(new CallerLeft());
  });
  return {
    disconnected: gone.signal,
    async ready(signal) {
      // Only after a write that was too much for its buffer will there be a `drain`.
      if (!response?.writableNeedDrain || gone.signal.aborted) return;
      // Its errors are those of a caller who left.
      await once(response, 'drain', { signal: AbortSignal.any([signal, gone.signal]) }).catch(() => {});
    },
  };
}
