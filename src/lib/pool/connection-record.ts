/** Records which connection a request was sent on, and whether that connection was already established. */
import type { TLSSocket } from 'node:tls';

/** The connection of one model call, filled in while the call runs. Durations are in milliseconds. */
export interface ConnectionRecord {
  /** Requests sent: retries of the app, and replays of the HTTP client after a GOAWAY. */
  attempts: number;
  /** `performance.now()` when the request was handed to the pool. This and all fields below are of the last attempt. */
  dispatchedAt: number;
  /** Index of the endpoint in the settings: 0 is the primary one. */
  endpoint: number;
  /** Number of the connection in this process, from 1; 0 before a connection is used. */
  id: number;
  protocol: 'h2' | 'h1' | null;
  /** Whether the connection was established before the request was handed to the pool. */
  reused: boolean;
  /** Recorded requests on this connection, including this one. */
  requestsOnConnection: number;
  /** Time to establish the connection, including TLS. */
  connectTimeMs: number;
  /** Whether the TLS session of an earlier connection was resumed. */
  tlsResumed: boolean;
  timeToFirstByteMs: number | null;
  /** HTTP status of the response; null before there is one. */
  status: number | null;
  /** Headers of the response, with lower-case names; empty before there is one. */
  headers: Record<string, string | string[] | undefined>;
}

const NOT_CONNECTED = {
  id: 0,
  protocol: null,
  reused: false,
  requestsOnConnection: 0,
  connectTimeMs: 0,
  tlsResumed: false,
  timeToFirstByteMs: null,
  status: null,
  headers: {},
};

/** Creates an empty record for one model call. */
export function createConnectionRecord(): ConnectionRecord {
  return { attempts: 0, dispatchedAt: 0, endpoint: 0, ...NOT_CONNECTED };
}

/** Starts a new attempt: call this just before the request is handed to the pool. */
export function beginAttempt(record: ConnectionRecord): void {
  Object.assign(record, NOT_CONNECTED);
  record.attempts++;
  record.dispatchedAt = performance.now();
}

/** An established connection of the pool. */
export interface PooledConnection {
  socket: TLSSocket;
  id: number;
  protocol: 'h2' | 'h1';
  establishedAt: number;
  connectTimeMs: number;
  tlsResumed: boolean;
  /** Recorded requests so far. */
  requests: number;
  /** Requests in flight, recorded or not. */
  inFlight: number;
  /** `Date.now()` at the last use. The wall clock also counts the time while the process is paused. */
  lastUsedAt: number;
}

/** Numbers the connections of one HTTP client in the order of their establishment, and counts the open ones. */
export class ConnectionCounter {
  open = 0;
  #last = 0;

  add(socket: TLSSocket, connectTimeMs: number): PooledConnection {
    this.open++;
    socket.once('close', () => this.open--);
    const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'h1';
    return {
      socket,
      id: ++this.#last,
      protocol,
      establishedAt: performance.now(),
      connectTimeMs,
      // The method is missing on a socket without TLS.
      tlsResumed: socket.isSessionReused?.() ?? false,
      requests: 0,
      inFlight: 0,
      lastUsedAt: Date.now(),
    };
  }
}
