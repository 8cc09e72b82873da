/** An undici client that knows which of its connections each request was written to, and tells the request's record. */
import type { TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher, errors } from 'undici';
import type { Connection, ConnectionCounter, ConnectionRecord } from './connection-record.ts';

/** Options of a request whose connection is to be recorded. */
export type RecordedOptions = Dispatcher.DispatchOptions & { record?: ConnectionRecord };

/** The connection that a client has at the moment; it has one at a time. */
interface ConnectionSlot {
  current: Connection | null;
}

/** What a client shares with the others of its HTTP client. */
export interface RecordingOptions {
  connect: buildConnector.connector;
  counter: ConnectionCounter;
  /** A connection that was idle for longer, in milliseconds by the wall clock, is never used. */
  maxIdleMs: number;
  /** Called when a response, or the rest of one, did not come in time. */
  onTimeout: () => void;
}

/**
 * A client that knows which connection each of its requests was written to. That moment is `onRequestStart`: it runs
 * as the request is written, again after a replay. (undici's diagnostics channel cannot tell whose request it saw.)
 */
export class RecordingClient extends Client {
  readonly #slot: ConnectionSlot;
  readonly #recording: RecordingOptions;

  constructor(origin: string | URL, options: Client.Options, recording: RecordingOptions) {
    const { connect, counter } = recording;
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
    this.#recording = recording;
  }

  override dispatch(options: RecordedOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#dropStaleConnection();
    const { onTimeout } = this.#recording;
    return super.dispatch(options, new RecordingHandler(handler, options.record, this.#slot, onTimeout));
  }

  /**
   * A timer closes idle connections, but not in a paused process: the first request after the pause would be sent into
   * a connection that the other side gave up long ago. undici sees that the socket is destroyed and opens another.
   */
  #dropStaleConnection(): void {
    const connection = this.#slot.current;
    if (!connection || connection.running > 0) return;
    if (Date.now() - connection.lastUsedAt > this.#recording.maxIdleMs) connection.socket.destroy();
  }
}

/** Passes every event on and notes what concerns the connection. */
class RecordingHandler implements Dispatcher.DispatchHandler {
  readonly #next: Dispatcher.DispatchHandler;
  readonly #record: ConnectionRecord | undefined;
  readonly #slot: ConnectionSlot;
  readonly #onTimeout: () => void;
  #connection: Connection | null = null;
  #sent = false;

  constructor(
    next: Dispatcher.DispatchHandler,
    record: ConnectionRecord | undefined,
    slot: ConnectionSlot,
    onTimeout: () => void,
  ) {
    this.#next = next;
    this.#record = record;
    this.#slot = slot;
    this.#onTimeout = onTimeout;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#release();
    const connection = this.#slot.current;
    if (connection) connection.running++;
    this.#connection = connection;
    if (this.#record) this.#note(this.#record, connection);
    this.#sent = true;
    this.#next.onRequestStart?.(controller, context);
  }

  #note(record: ConnectionRecord, connection: Connection | null): void {
    // The first time was counted when it was handed to the pool; this is a replay.
    if (this.#sent) record.attempts++;
    if (!connection) return;
    record.id = connection.id;
    record.protocol = connection.protocol;
    record.reused = connection.establishedAt <= record.dispatchedAt;
    record.requestsOnConnection = ++connection.requests;
    record.connectTimeMs = connection.connectTimeMs;
    record.tlsResumed = connection.tlsResumed;
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
    if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
      this.#onTimeout();
    }
    this.#next.onResponseError?.(controller, error);
  }
}
