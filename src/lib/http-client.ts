/** The pooled HTTP client of this process, and the truth about the connection of each request. */
import type { TLSSocket } from 'node:tls';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';

/** How long an idle connection is kept. undici's default of 4 s would lose it between two questions. */
const KEEP_ALIVE_MS = 60_000;
/** Bound on connections; only an HTTP/1.1 endpoint ever needs more than a few. */
const MAX_CONNECTIONS = 64;

/** What one model call learned about its connection, written while the call runs. Durations in milliseconds. */
export interface ConnectionRecord {
  /** `performance.now()` when the latest attempt was handed to the pool. */
  dispatchedAt: number;
  /** Times the request was sent. */
  attempts: number;
  /** Number of the connection in this process, from 1; 0 while none was reached. */
  id: number;
  protocol: 'h2' | 'h1' | null;
  /** True when the connection was established already when the request was handed to the pool. */
  reused: boolean;
  /** Recorded requests on that connection, this one included. */
  requestsOnConnection: number;
  /** What it took to establish the connection, TLS included. */
  connectTimeMs: number;
  timeToFirstByteMs: number | null;
  /** HTTP status of the answer, null if there was none. */
  status: number | null;
}

/** Makes an empty record, to be passed with one request. */
export function createConnectionRecord(): ConnectionRecord {
  return {
    dispatchedAt: 0,
    attempts: 0,
    id: 0,
    protocol: null,
    reused: false,
    requestsOnConnection: 0,
    connectTimeMs: 0,
    timeToFirstByteMs: null,
    status: null,
  };
}

/** One pool of connections, kept for the life of the process. */
export interface HttpClient {
  /** A `fetch` for the OpenAI client. `init.record`, if given, is filled in. */
  fetch: (url: string | URL | Request, init?: FetchInit) => Promise<Response>;
  /** Opens a connection to `origin`, or uses an open one, with a request that asks for nothing. Never rejects. */
  warm(origin: string): Promise<void>;
  /** Connections that are open now. */
  openConnections(): number;
  /** Closes all connections, without waiting for what is under way. */
  close(): Promise<void>;
}

type FetchInit = RequestInit & { record?: ConnectionRecord };
type RecordedOptions = Dispatcher.DispatchOptions & { record?: ConnectionRecord };

interface Connection {
  id: number;
  protocol: 'h2' | 'h1';
  establishedAt: number;
  connectTimeMs: number;
  requests: number;
}

/** Numbers the connections of one HTTP client, in the order in which they were established. */
class ConnectionCounter {
  open = 0;
  #last = 0;

  add(socket: TLSSocket, connectTimeMs: number): Connection {
    this.open++;
    socket.once('close', () => this.open--);
    const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'h1';
    return { id: ++this.#last, protocol, establishedAt: performance.now(), connectTimeMs, requests: 0 };
  }
}

/** The connection that a client has at the moment; it has one at a time. */
interface ConnectionSlot {
  current: Connection | null;
}

/**
 * A client that knows which connection each of its requests was written to. That moment is `onRequestStart`: it runs
 * as the request is written, again after a replay. (undici's diagnostics channel cannot tell whose request it saw.)
 */
class RecordingClient extends Client {
  readonly #slot: ConnectionSlot;

  constructor(origin: string | URL, options: Client.Options, connect: buildConnector.connector, counter: ConnectionCounter) {
    const slot: ConnectionSlot = { current: null };
    super(origin, {
      ...options,
      connect(connectOptions, callback) {
        const startedAt = performance.now();
        connect(connectOptions, (...result) => {
          const socket = result[1];
          if (socket) slot.current = counter.add(socket as TLSSocket, performance.now() - startedAt);
          callback(...result);
        });
      },
    });
    this.#slot = slot;
  }

  override dispatch(options: RecordedOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { record } = options;
    return super.dispatch(options, record ? new RecordingHandler(handler, record, this.#slot) : handler);
  }
}

/** Passes every event on and notes what concerns the connection. */
class RecordingHandler implements Dispatcher.DispatchHandler {
  readonly #next: Dispatcher.DispatchHandler;
  readonly #record: ConnectionRecord;
  readonly #slot: ConnectionSlot;

  constructor(next: Dispatcher.DispatchHandler, record: ConnectionRecord, slot: ConnectionSlot) {
    this.#next = next;
    this.#record = record;
    this.#slot = slot;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    const record = this.#record;
    const connection = this.#slot.current;
    record.attempts++;
    if (connection) {
      record.id = connection.id;
      record.protocol = connection.protocol;
      record.reused = connection.establishedAt <= record.dispatchedAt;
      record.requestsOnConnection = ++connection.requests;
      record.connectTimeMs = connection.connectTimeMs;
    }
    this.#next.onRequestStart?.(controller, context);
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    const [, status] = args;
    if (status >= 200) {
      this.#record.status = status;
      this.#record.timeToFirstByteMs = performance.now() - this.#record.dispatchedAt;
    }
    this.#next.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#next.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#next.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#next.onResponseError?.(controller, error);
  }
}

/** Opens the pool. No connection is made before the first request. */
export function createHttpClient(): HttpClient {
  const counter = new ConnectionCounter();
  // One connector for all clients, so that they share TLS sessions.
  const connect = buildConnector({ preferH2: true });
  const agent = new Agent({
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // The deadline of the question rules, through its signal.
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (origin, options: Pool.Options) =>
      new Pool(origin, {
        ...options,
        connections: MAX_CONNECTIONS,
        connect,
        factory: (clientOrigin, clientOptions: Client.Options) =>
          new RecordingClient(clientOrigin, clientOptions, connect, counter),
      }),
  });

  return {
    fetch: (url, init = {}) => leanFetch(agent, url instanceof Request ? url.url : url, init),
    async warm(origin) {
      try {
        // Not HEAD: undici closes the connection after it on HTTP/1.1.
        const { body } = await agent.request({ origin, path: '/', method: 'GET', signal: AbortSignal.timeout(2000) });
        await body.dump();
      } catch {
        // A question that finds the endpoint out of reach says so; this was only an attempt to be early.
      }
    },
    openConnections: () => counter.open,
    close: () => agent.destroy(),
  };
}

/**
 * `fetch` with what the OpenAI client needs of it and no more: WHATWG `Request`, `Response` and `Headers` cost about as
 * much CPU as all the rest of a call (0.46 against 0.24 ms).
 */
async function leanFetch(agent: Agent, url: string | URL, init: FetchInit): Promise<Response> {
  const { origin, pathname, search } = new URL(url);
  const { record } = init;
  if (record) {
    record.dispatchedAt = performance.now();
    record.status = null;
  }
  const options: Dispatcher.RequestOptions & RecordedOptions = {
    origin,
    path: pathname + search,
    method: init.method ?? 'GET',
    headers: Object.fromEntries(new Headers(init.headers)),
    body: (init.body ?? null) as string | null,
    signal: init.signal ?? null,
    ...(record && { record }),
  };
  const response = await agent.request(options);
  // The one place where our small answer passes for a Response; the OpenAI client reads nothing else of it.
  return new LeanResponse(String(url), response) as unknown as Response;
}

class LeanResponse {
  readonly url: string;
  readonly status: number;
  readonly ok: boolean;
  readonly headers: LeanHeaders;
  readonly body: Dispatcher.ResponseData['body'];

  constructor(url: string, { statusCode, headers, body }: Dispatcher.ResponseData) {
    this.url = url;
    this.status = statusCode;
    this.ok = statusCode >= 200 && statusCode < 300;
    this.headers = new LeanHeaders(headers);
    this.body = body;
  }

  text(): Promise<string> {
    return this.body.text();
  }
}

/** Reads undici's header object, whose names are in lower case, as `Headers` would. */
class LeanHeaders {
  readonly #values: Dispatcher.ResponseData['headers'];

  constructor(values: Dispatcher.ResponseData['headers']) {
    this.#values = values;
  }

  get(name: string): string | null {
    const value = this.#values[name.toLowerCase()];
    return value === undefined ? null : String(value);
  }

  *entries(): IterableIterator<[string, string]> {
    for (const [name, value] of Object.entries(this.#values)) if (value !== undefined) yield [name, String(value)];
  }
}
