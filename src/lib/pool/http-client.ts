/** The HTTP client for the model: one connection pool for each endpoint, whose connections are kept warm between questions. */
import { buildConnector, type Client, type Dispatcher, Pool } from 'undici';
import { beginAttempt, ConnectionCounter, type ConnectionRecord } from './connection-record.ts';
import { LIVENESS_CHECKS, type RecordedRequest, RecordingClient } from './recording-client.ts';
import type { TLSSocket } from 'node:tls';

/** Idle time after which a connection is closed. undici's default of 4 s would close it between questions. */
const KEEP_ALIVE_MS = 60_000;
/** Limit of connections to one endpoint. Only HTTP/1.1, with one request at a time, needs more than a few. */
const MAX_CONNECTIONS = 64;
/**
 * A connection without data is tested after this time by the operating system, which closes it when ten tests a second
 * apart get no answer (libuv's `uv_tcp_keepalive`). It also keeps routers from forgetting the connection.
 */
const TCP_KEEP_ALIVE_MS = 10_000;
/** Time limit of a keep-warm request. */
const PROBE_TIMEOUT_MS = 2000;

/** One request and its response, as its sender follows it. */
export interface Exchange {
  /** Aborts the request, and the response. */
  signal: AbortSignal;
  /** Filled in while the request runs. */
  record: ConnectionRecord;
  /** Called with the HTTP status when the response headers arrive. */
  onResponse?: (status: number) => void;
}

/** What is sent. */
export interface HttpMessage {
  headers: Record<string, string>;
  body: string;
}

/** A client with connection pools that live as long as the process. */
export interface HttpClient {
  /** Sends a request. @throws the errors of undici, or the reason of the signal. */
  post(url: URL, message: HttpMessage, exchange: Exchange): Promise<Dispatcher.ResponseData>;
  /** Sends a request that belongs to no question. @throws the errors of undici, or the reason of the signal. */
  get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Dispatcher.ResponseData>;
  /**
   * Sends a cheap request to `url`, which opens a connection or keeps one warm. Resolves to false when there is no response
   * within 2 s; new requests then use new connections. Never rejects.
   */
  warm(url: URL): Promise<boolean>;
  /** Number of open connections. */
  openConnections(): number;
  /** Closes all connections at once; requests in flight fail. */
  close(): Promise<void>;
}

/** Options of the client. Durations are in milliseconds. */
export interface HttpClientOptions {
  /** An HTTP/2 connection on which nothing arrives for this time, PING answers included, is closed; 20,000 by default. */
  deadAfterMs?: number;
  /** A connection that was idle for longer, by the wall clock, is not used any more; 60,000 by default. */
  maxIdleMs?: number;
}

/** Twice as long as Kubernetes waits for an answer to its PING, because a false alarm costs the answers in flight. */
const DEAD_AFTER_MS = 20_000;

/**
 * Creates the client. It opens no connection before the first request. Silence of the model is no failure, because it may
 * think, or queue the request: only a dead connection ends a request.
 */
export function createHttpClient({
  deadAfterMs = DEAD_AFTER_MS,
  maxIdleMs = KEEP_ALIVE_MS,
}: HttpClientOptions = {}): HttpClient {
  const counter = new ConnectionCounter();
  // One connector for all pools, so that they share TLS sessions.
  const connect = keepTlsSessions(
    buildConnector({ preferH2: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS }),
  );
  const pools = new Map<string, Pool>();
  /** Pools that get no new requests and close after their last response. */
  const retired = new Set<Pool>();

  function openPool(origin: string): Pool {
    const pool: Pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      h2Options: { pingInterval: Math.ceil(deadAfterMs / LIVENESS_CHECKS) },
      connect,
      factory: (clientOrigin, options: Client.Options) =>
        new RecordingClient(clientOrigin, options, { connect, counter, maxIdleMs, deadAfterMs }),
    });
    pools.set(origin, pool);
    return pool;
  }

  function retire(origin: string, pool: Pool): void {
    if (pools.get(origin) !== pool) return;
    pools.delete(origin);
    retired.add(pool);
    const remove = () => void retired.delete(pool);
    pool.close().then(remove, remove);
  }

  const poolOf = (origin: string): Pool => pools.get(origin) ?? openPool(origin);

  return {
    async post({ origin, pathname, search }, { headers, body }, { signal, record, onResponse }) {
      beginAttempt(record);
      const request: RecordedRequest = {
        headers,
        body,
        signal,
        record,
        path: pathname + search,
        method: 'POST',
      };
      const response = await poolOf(origin).request(request);
      record.headers = response.headers;
      onResponse?.(response.statusCode);
      return response;
    },
    get({ origin, pathname, search }, headers, signal) {
      return poolOf(origin).request({ headers, signal, path: pathname + search, method: 'GET' });
    },
    async warm({ origin, pathname, search }) {
      const pool = poolOf(origin);
      // All connections are in use and therefore warm; the request would only wait for one of them.
      if (pool.stats.running >= MAX_CONNECTIONS) return true;
      try {
        // Not HEAD: with HTTP/1.1, undici closes the connection after it.
        const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
        const { body } = await pool.request({ path: pathname + search, method: 'GET', signal });
        await body.dump();
        return true;
      } catch {
        // Not reported: if the endpoint cannot be reached, the next question reports it.
        retire(origin, pool);
        return false;
      }
    },
    openConnections: () => counter.open,
    async close() {
      await Promise.all([...pools.values(), ...retired].map((pool) => pool.destroy()));
    },
  };
}

/** Enough for the endpoints of one app. A session takes a few kilobytes. */
const MAX_SESSIONS = 16;

/**
 * Wraps `connect` so that its TLS sessions stay in memory. undici's connector caches them only by weak references, which
 * the next garbage collection clears; strong references to the newest sessions prevent that.
 */
function keepTlsSessions(connect: buildConnector.connector): buildConnector.connector {
  const sessions: Buffer[] = [];
  return (options, callback) =>
    connect(options, (...result) => {
      const socket = result[1] as TLSSocket | null;
      // With TLS 1.3 the sessions arrive after the handshake.
      socket?.on('session', (session: Buffer) => {
        sessions.push(session);
        if (sessions.length > MAX_SESSIONS) sessions.shift();
      });
      callback(...result);
    });
}

/** With the jitter at most 35 s: idle connections are closed after 60 s. */
const INTERVAL_MS = 25_000;
/** So that instances do not all probe at the same time. */
const JITTER_MS = 10_000;

/** Keeps one connection to each endpoint warm while questions arrive. */
export interface KeepWarm {
  /** Call this for each question: it restarts the keep-warm period. */
  touch(): void;
  stop(): void;
}

/**
 * Opens a connection for each of `urls` in the background and probes it every 25 to 35 s, until no question has
 * arrived for `keepWarmMs` milliseconds. With 0 it does nothing. The timer does not keep the process alive.
 */
export function createKeepWarm(client: HttpClient, urls: URL[], keepWarmMs: number): KeepWarm {
  let lastQuestionAt = Date.now();
  let timer: NodeJS.Timeout | undefined;
  let probing = false;
  let stopped = keepWarmMs <= 0;

  function schedule(): void {
    if (stopped || probing || timer) return;
    const interval = INTERVAL_MS + Math.random() * JITTER_MS;
    timer = setTimeout(() => {
      timer = undefined;
      if (Date.now() - lastQuestionAt <= keepWarmMs) void probe();
    }, interval).unref();
  }

  async function probe(): Promise<void> {
    probing = true;
    await Promise.all(urls.map((url) => client.warm(url)));
    probing = false;
    schedule();
  }

  if (!stopped) void probe();

  return {
    touch() {
      lastQuestionAt = Date.now();
      schedule();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
