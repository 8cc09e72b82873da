/** The pooled HTTP client of this process: one pool of connections for each endpoint of the model. */
import { buildConnector, type Client, Pool } from 'undici';
import { ConnectionCounter } from './connection-record.ts';
import { type FetchInit, leanFetch } from './lean-fetch.ts';
import { RecordingClient } from './recording-client.ts';
import { rememberTlsSessions } from './tls-sessions.ts';

/** How long an idle connection is kept, and the oldest that is used. undici's default of 4 s would lose it between questions. */
const KEEP_ALIVE_MS = 60_000;
/** Bound on connections to one endpoint; only HTTP/1.1 ever needs more than a few. */
const MAX_CONNECTIONS = 64;
const PROBE_TIMEOUT_MS = 2000;

/** The pools, kept for the life of the process. */
export interface HttpClient {
  /** A `fetch` for the OpenAI client. `init.record`, if given, is filled in. */
  fetch: (url: string | URL | Request, init?: FetchInit) => Promise<Response>;
  /**
   * Opens a connection to `origin`, or tries the open one, with a request that asks for nothing. When that takes over
   * 2 s, new requests get a new connection. False when there was no answer; never rejects.
   */
  warm(origin: string): Promise<boolean>;
  /** Connections that are open now. */
  openConnections(): number;
  /** Closes all connections, without waiting for what is under way. */
  close(): Promise<void>;
}

/** How a client is made; durations in milliseconds. */
export interface HttpClientOptions {
  /** Longest wait for the first byte of a response, and then for each next one; 0, the default, for no limit. */
  responseTimeoutMs?: number;
  /** A connection that was idle for longer, by the wall clock, is never used; 60,000 by default. */
  maxIdleMs?: number;
}

/** Makes the client. No connection is made before the first request. */
export function createHttpClient({
  responseTimeoutMs = 0,
  maxIdleMs = KEEP_ALIVE_MS,
}: HttpClientOptions = {}): HttpClient {
  const counter = new ConnectionCounter();
  // One connector for all, so that they share TLS sessions.
  const connect = rememberTlsSessions(buildConnector({ preferH2: true }));
  const pools = new Map<string, Pool>();
  /** Those that get no new requests, and end with their last one. */
  const retired = new Set<Pool>();

  function openPool(origin: string): Pool {
    const pool: Pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: responseTimeoutMs,
      bodyTimeout: responseTimeoutMs,
      connect,
      factory: (clientOrigin, options: Client.Options) =>
        new RecordingClient(clientOrigin, options, {
          connect,
          counter,
          maxIdleMs,
          // The connection may be dead without a word; a retry must not meet it again.
          onTimeout: () => retire(origin, pool),
        }),
    });
    pools.set(origin, pool);
    return pool;
  }

  function retire(origin: string, pool: Pool): void {
    if (pools.get(origin) !== pool) return;
    pools.delete(origin);
    retired.add(pool);
    const forget = () => void retired.delete(pool);
    pool.close().then(forget, forget);
  }

  const poolOf = (origin: string): Pool => pools.get(origin) ?? openPool(origin);

  return {
    fetch: (url, init = {}) => leanFetch(poolOf, url, init),
    async warm(origin) {
      const pool = poolOf(origin);
      // It would wait for a free connection, and those that are busy need no warming.
      if (pool.stats.running >= MAX_CONNECTIONS) return true;
      try {
        // Not HEAD: undici closes the connection after it on HTTP/1.1.
        const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
        const { body } = await pool.request({ path: '/', method: 'GET', signal });
        await body.dump();
        return true;
      } catch {
        // A question that finds the endpoint out of reach says so; this was only an attempt to be early.
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
