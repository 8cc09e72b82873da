/**
 * A request as it arrived on the connection from the Functions host. Handlers get nothing else of it: the request of the
 * `@azure/functions` library takes its headers and parameters from metadata, in which the host also puts the properties
 * of the JSON body and the query, under any name that the caller likes
 * (docs/decisions/raw-request.md). Rejected: to refuse metadata with a property `Headers`, because a new name would open
 * the hole again; to change the library's code at build time.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './response.ts';

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
  readonly #response: ServerResponse;

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message;
    this.#response = response;
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

  /**
   * Reads the body. Gives null as soon as it is longer than `maxBytes`; what follows is dropped, because unread bytes would
   * stay on the connection, which the host uses again: it would send another caller's request, wait until the server closes
   * the connection, and cannot send a body twice. Not by the message's iterator, which takes as much CPU time as the
   * rest of the reading.
   * @throws CallerDisconnectedError when the caller disconnects before the end.
   */
  read(maxBytes: number): Promise<Buffer | null> {
    const message = this.#message;
    const chunks: Buffer[] = [];
    let bytes = 0;
    return new Promise((resolve, reject) => {
      const onClose = (): void => {
        if (!message.readableEnded) reject(new CallerDisconnectedError());
      };
      if (message.destroyed) onClose();
      message.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) resolve(null);
        else chunks.push(chunk);
      });
      message.once('end', () => resolve(Buffer.concat(chunks)));
      message.once('close', onClose);
    });
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

  /**
   * Sends the response. Resolves when its body has ended. @throws the error of a header or the body, after the response has
   * become a 500, or was cut off if it had begun.
   */
  async respond({ status, headers = {}, body = '' }: Reply): Promise<void> {
    const response = this.#response;
    try {
      response.statusCode = status;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (typeof body === 'string' || body instanceof Uint8Array) {
        response.end(body);
        return;
      }
      for await (const chunk of body) response.write(chunk);
      response.end();
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response);
      throw error;
    }
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

const INVOCATION_ID = 'x-ms-invocation-id';

/**
 * How long a request and its invocation wait for each other: 5 s. The host sends both at once, except a request whose
 * headers it cannot forward. Without this limit the invocation would last until the host's `functionTimeout`, which ends
 * the whole worker. Ticks are counted instead of time, because they take longer while the process is too busy to read
 * what has arrived. A tick in which connections were accepted counts a tenth: Node accepts one in each turn of the event loop
 * (libuv, src/unix/stream.c, uv__server_io), so that the request may be in the last of many connections.
 */
const TICK_MS = 100;
const TICKS = 50;
const BUSY_TICK = 0.1;

interface Forwarded {
  message: IncomingMessage;
  response: ServerResponse;
  state: 'waiting' | 'taken' | 'refused';
  /** Ends the wait for the invocation. */
  stopWaiting: () => void;
}

/** The requests that arrive at the server of the library. */
export class ForwardedRequests {
  readonly #requests = new Map<string, Forwarded>();
  readonly #waiting = new Map<string, (forwarded: Forwarded) => void>();
  #connections = 0;

  /** Call this for each connection that the server accepts. */
  accept(): void {
    this.#connections++;
  }

  /** Receives a request from the server. It gets a 500 when it does not belong to exactly one invocation. */
  receive(message: IncomingMessage, response: ServerResponse): void {
    const id = message.headers[INVOCATION_ID];
    if (typeof id !== 'string') return refuse(response);
    const other = this.#requests.get(id);
    if (other) {
      // A caller can send this header too. It is then unknown which of the two requests the host has allowed.
      if (other.state === 'taken') other.response.destroy();
      else refuse(other.response);
      other.state = 'refused';
      return refuse(response);
    }
    const stopWaiting = this.#afterWaiting(() => {
      this.#requests.delete(id);
      if (forwarded.state === 'waiting') refuse(response);
    });
    const forwarded: Forwarded = { message, response, state: 'waiting', stopWaiting };
    this.#requests.set(id, forwarded);
    this.#waiting.get(id)?.(forwarded);
  }

  /** Gives the request of an invocation. @throws Error when no request arrives in time, or more than one has arrived. */
  async take(id: string): Promise<RawRequest> {
    const forwarded = this.#requests.get(id) ?? (await this.#arrival(id));
    const { message, response } = forwarded;
    if (forwarded.state !== 'waiting')
      throw new Error('More than one request has the id of this invocation.');
    forwarded.state = 'taken';
    forwarded.stopWaiting();
    if (response.closed) this.#requests.delete(id);
    else response.once('close', () => this.#requests.delete(id));
    // As in every response of the library.
    response.setHeader(INVOCATION_ID, id);
    return new RawRequest(message, response);
  }

  #arrival(id: string): Promise<Forwarded> {
    const arrival = Promise.withResolvers<Forwarded>();
    this.#waiting.set(id, arrival.resolve);
    const stopWaiting = this.#afterWaiting(() =>
      arrival.reject(new Error('The host did not forward the request of this invocation.')),
    );
    return arrival.promise.finally(() => {
      stopWaiting();
      this.#waiting.delete(id);
    });
  }

  /** Calls `giveUp` when the wait is over. Returns a function that prevents this. */
  #afterWaiting(giveUp: () => void): () => void {
    let ticks = 0;
    let seen = this.#connections;
    const timer = setInterval(() => {
      ticks += this.#connections === seen ? 1 : BUSY_TICK;
      seen = this.#connections;
      if (ticks < TICKS) return;
      clearInterval(timer);
      giveUp();
    }, TICK_MS);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** Sends an error response: if the connection were closed instead, the host would send the request again. */
function refuse(response: ServerResponse): void {
  if (response.headersSent) return;
  // Those of a response that failed must not let anyone cache the error.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.writeHead(500, { Connection: 'close' }).end();
}
