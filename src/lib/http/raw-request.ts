/**
 * A request as it arrived on the connection from the Functions host. Handlers get nothing else of it: the request of the
 * `@azure/functions` library takes its headers and parameters from metadata, in which the host also puts the properties
 * of the JSON body and the query, under any name that the caller likes
 * (docs/decisions/2026-11-30-only-the-raw-request.md).
 */
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

/** A request and its caller. */
export class RawRequest {
  readonly caller: Caller;
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message;
    this.caller = callerOf(response);
  }

  get method(): string {
    return this.#message.method ?? '';
  }

  /** The path as it was forwarded, percent-encoded and without the query. */
  get path(): string {
    return this.#target.path;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#target.query);
  }

  /** The body as chunks of bytes. Iterating it throws when the caller disconnects before its end. */
  get body(): AsyncIterable<Uint8Array> {
    return this.#message;
  }

  /** The value of a header, or null. Values of a repeated header are joined as Node does. */
  header(name: string): string | null {
    const value = this.#message.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : (value ?? null);
  }

  /** A copy of all headers, for libraries that take web-standard ones. */
  toHeaders(): Headers {
    const { headers } = this.#message;
    return new Headers(Object.keys(headers).map((name) => [name, this.header(name) ?? '']));
  }

  get #target() {
    const { url = '' } = this.#message;
    const end = url.indexOf('?');
    return end < 0 ? { path: url, query: '' } : { path: url.slice(0, end), query: url.slice(end + 1) };
  }
}

function callerOf(response: ServerResponse): Caller {
  const disconnect = new AbortController();
  const onClose = (): void => {
    if (!response.writableFinished) disconnect.abort(new CallerDisconnectedError());
  };
  if (response.closed) onClose();
  else response.once('close', onClose);
  return {
    disconnected: disconnect.signal,
    async ready(signal) {
      // `drain` is emitted only after a write has filled the buffer.
      if (!response.writableNeedDrain || disconnect.signal.aborted) return;
      // Rejects when a signal aborts, or when the connection fails because the caller has disconnected.
      await once(response, 'drain', { signal: AbortSignal.any([signal, disconnect.signal]) }).catch(() => {});
    },
  };
}
