/** The pooled HTTP client of this process, and the lean `fetch` over it that LangChain uses. */
import { Agent, buildConnector, type Client, type Dispatcher, Pool } from 'undici';
import {
  ConnectionCounter,
  type ConnectionRecord,
  type RecordedOptions,
  RecordingClient,
} from './connection-record.ts';

/** How long an idle connection is kept, and the oldest that is used. undici's default of 4 s would lose it between questions. */
const KEEP_ALIVE_MS = 60_000;
/** Bound on connections; only an HTTP/1.1 endpoint ever needs more than a few. */
const MAX_CONNECTIONS = 64;

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

/**
 * Opens the pool. No connection is made before the first request, and none is used that was idle for over `maxIdleMs`
 * milliseconds by the wall clock.
 */
export function createHttpClient(maxIdleMs = KEEP_ALIVE_MS): HttpClient {
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
          new RecordingClient(clientOrigin, clientOptions, connect, counter, maxIdleMs),
      }),
  });

  return {
    fetch: (url, init = {}) => leanFetch(agent, url instanceof Request ? url.url : url, init),
    async warm(origin) {
      try {
        // Not HEAD: undici closes the connection after it on HTTP/1.1.
        const { body } = await agent.request({
          origin,
          path: '/',
          method: 'GET',
          signal: AbortSignal.timeout(2000),
        });
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
    for (const [name, value] of Object.entries(this.#values))
      if (value !== undefined) yield [name, String(value)];
  }
}
