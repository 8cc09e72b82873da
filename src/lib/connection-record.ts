/** The truth about connections: which one a request was sent on, and whether it was there before. */
import type { TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher } from 'undici';

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

/** Options of a request whose connection is to be recorded. */
export type RecordedOptions = Dispatcher.DispatchOptions & { record?: ConnectionRecord };

interface Connection {
  socket: TLSSocket;
  id: number;
  protocol: 'h2' | 'h1';
  establishedAt: number;
  connectTimeMs: number;
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
      requests: 0,
      running: 0,
      lastUsedAt: Date.now(),
    };
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
export class RecordingClient extends Client {
  readonly #slot: ConnectionSlot;
  readonly #maxIdleMs: number;

  constructor(
    origin: string | URL,
    options: Client.Options,
    connect: buildConnector.connector,
    counter: ConnectionCounter,
    maxIdleMs: number,
  ) {
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
    this.#maxIdleMs = maxIdleMs;
  }

  override dispatch(options: RecordedOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#dropStaleConnection();
    return super.dispatch(options, new RecordingHandler(handler, options.record, this.#slot));
  }

  /**
   * A timer closes idle connections, but not in a paused process: the first request after the pause would be sent into
   * a connection that the other side gave up long ago. undici sees that the socket is destroyed and opens another.
   */
  #dropStaleConnection(): void {
    const connection = this.#slot.current;
    if (!connection || connection.running > 0) return;
    if (Date.now() - connection.lastUsedAt > this.#maxIdleMs) connection.socket.destroy();
  }
}

/** Passes every event on and notes what concerns the connection. */
class RecordingHandler implements Dispatcher.DispatchHandler {
  readonly #next: Dispatcher.DispatchHandler;
  readonly #record: ConnectionRecord | undefined;
  readonly #slot: ConnectionSlot;
  #connection: Connection | null = null;

  constructor(next: Dispatcher.DispatchHandler, record: ConnectionRecord | undefined, slot: ConnectionSlot) {
    this.#next = next;
    this.#record = record;
    this.#slot = slot;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#release();
    const connection = this.#slot.current;
    if (connection) connection.running++;
    this.#connection = connection;
    if (this.#record) this.#note(this.#record, connection);
    this.#next.onRequestStart?.(controller, context);
  }

  #note(record: ConnectionRecord, connection: Connection | null): void {
    record.attempts++;
    if (connection) {
      record.id = connection.id;
      record.protocol = connection.protocol;
      record.reused = connection.establishedAt <= record.dispatchedAt;
      record.requestsOnConnection = ++connection.requests;
      record.connectTimeMs = connection.connectTimeMs;
    }
  }

  /** The request left its connection: it ended, failed, or is written anew to another one. */
  #release(): void {
    if (!this.#connection) return;
    this.#connection.running--;
    this.#connection.lastUsedAt = Date.now();
    this.#connection = null;
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    const [, status] = args;
    if (this.#record && status >= 200) {
      this.#record.status = status;
      this.#record.timeToFirstByteMs = performance.now() - this.#record.dispatchedAt;
    }
    this.#next.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#next.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#release();
    this.#next.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#release();
    this.#next.onResponseError?.(controller, error);
  }
}
