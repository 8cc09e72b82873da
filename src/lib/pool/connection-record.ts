/** The truth about connections: which one a request was sent on, and whether it was there before. */
import type { TLSSocket } from 'node:tls';

/** What one model call learned about its connection, written while the call runs. Durations in milliseconds. */
export interface ConnectionRecord {
  /** Times it was tried, by us or, after a GOAWAY, by the HTTP client. */
  attempts: number;
  /** Of the latest attempt, as is all that follows: `performance.now()` when it was handed to the pool. */
  dispatchedAt: number;
  /** Index of the endpoint, as configured. */
  endpoint: number;
  /** Number of the connection in this process, from 1; 0 while none was reached. */
  id: number;
  protocol: 'h2' | 'h1' | null;
  /** True when the connection was established already when the request was handed to the pool. */
  reused: boolean;
  /** Recorded requests on that connection, this one included. */
  requestsOnConnection: number;
  /** What it took to establish the connection, TLS included. */
  connectTimeMs: number;
  /** The connection went on with the TLS session of an earlier one. */
  tlsResumed: boolean;
  timeToFirstByteMs: number | null;
  /** HTTP status of the answer, null if there was none. */
  status: number | null;
}

const NOTHING_YET = {
  id: 0,
  protocol: null,
  reused: false,
  requestsOnConnection: 0,
  connectTimeMs: 0,
  tlsResumed: false,
  timeToFirstByteMs: null,
  status: null,
};

/** Makes an empty record, to be passed with one model call. */
export function createConnectionRecord(): ConnectionRecord {
  return { attempts: 0, dispatchedAt: 0, endpoint: 0, ...NOTHING_YET };
}

/** Notes that an attempt is now handed to the pool. */
export function beginAttempt(record: ConnectionRecord): void {
  Object.assign(record, NOTHING_YET);
  record.attempts++;
  record.dispatchedAt = performance.now();
}

/** A connection of this process. */
export interface Connection {
  socket: TLSSocket;
  id: number;
  protocol: 'h2' | 'h1';
  establishedAt: number;
  connectTimeMs: number;
  tlsResumed: boolean;
  /** Those that were recorded. */
  requests: number;
  /** Requests under way, whether recorded or not. */
  running: number;
  /** `Date.now()` when it was last used: the wall clock, which goes on while the process is paused. */
  lastUsedAt: number;
}

/** Numbers the connections of one HTTP client, in the order in which they were established. */
export class ConnectionCounter {
  open = 0;
  #last = 0;

  add(socket: TLSSocket, connectTimeMs: number): Connection {
    this.open++;
    socket.once('close', () => this.open--);
    const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'h1';
    return {
      socket,
      id: ++this.#last,
      protocol,
      establishedAt: performance.now(),
      connectTimeMs,
      // Undefined without TLS.
      tlsResumed: socket.isSessionReused?.() ?? false,
      requests: 0,
      running: 0,
      lastUsedAt: Date.now(),
    };
  }
}
