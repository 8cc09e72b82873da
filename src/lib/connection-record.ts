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
  id: number;
  protocol: 'h2' | 'h1';
  establishedAt: number;
  connectTimeMs: number;
  requests: number;
}

/** Numbers the connections of one HTTP client, in the order in which they were established. */
export class ConnectionCounter {
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
export class RecordingClient extends Client {
  readonly #slot: ConnectionSlot;

  constructor(
    origin: string | URL,
    options: Client.Options,
    connect: buildConnector.connector,
    counter: ConnectionCounter,
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
