/** An undici client that records the connection of each request. */
import type { TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher } from 'undici';
import type { ConnectionCounter, ConnectionRecord, PooledConnection } from './connection-record.ts';

/** How long the server has to close a connection that this side has ended. */
const ENDING_MS = 2000;

/** undici's options of a request, with the record to fill in. */
export type RecordedRequest = Dispatcher.RequestOptions & { record?: ConnectionRecord };

/** The current connection of a client. An undici client has one connection at a time. */
interface ConnectionSlot {
  current: PooledConnection | null;
}

/** What all clients of one HTTP client share. */
export interface RecordingOptions {
  connect: buildConnector.connector;
  counter: ConnectionCounter;
  /** A connection that was idle for longer, in milliseconds by the wall clock, is not used any more. */
  maxIdleMs: number;
  /** An HTTP/2 connection on which nothing arrives for this time, in milliseconds, is closed. */
  deadAfterMs: number;
}

/**
 * A client that records the connection of each request in `onRequestStart`, which undici calls when it writes the
 * request, and again for a replay. (The events of undici's diagnostics channel do not identify the request.)
 */
export class RecordingClient extends Client {
  readonly #slot: ConnectionSlot;
  readonly #recording: RecordingOptions;

  constructor(origin: string | URL, options: Client.Options, recording: RecordingOptions) {
    const { connect, counter, deadAfterMs } = recording;
    const slot: ConnectionSlot = { current: null };
    super(origin, {
      ...options,
      connect(connectOptions, callback) {
        const startedAt = performance.now();
        connect(connectOptions, (...result) => {
          const socket = result[1] as TLSSocket | null;
          if (socket) {
            slot.current = counter.add(socket, performance.now() - startedAt);
            limitEnding(socket);
            if (slot.current.protocol === 'h2') closeWhenDead(socket, deadAfterMs);
          }
          callback(...result);
        });
      },
    });
    this.#slot = slot;
    this.#recording = recording;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions & Pick<RecordedRequest, 'record'>,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    this.#dropStaleConnection();
    return super.dispatch(options, new RecordingHandler(handler, options.record, this.#slot));
  }

  /**
   * undici closes idle connections with a timer, which does not run while the process is paused. After a pause the server
   * may have closed the connection, so it is destroyed here, and undici opens a new one for the request.
   */
  #dropStaleConnection(): void {
    const connection = this.#slot.current;
    if (!connection || connection.inFlight > 0) return;
    if (Date.now() - connection.lastUsedAt > this.#recording.maxIdleMs) connection.socket.destroy();
  }
}

/** Closes a connection whose server does not: after a GOAWAY, undici ends its side and waits for the other one. */
function limitEnding(socket: TLSSocket): void {
  socket.once('finish', () => {
    const timer = setTimeout(() => socket.destroy(), ENDING_MS).unref();
    socket.once('close', () => clearTimeout(timer));
  });
}

/** Forwards every event to the next handler and records the connection. */
class RecordingHandler implements Dispatcher.DispatchHandler {
  readonly #next: Dispatcher.DispatchHandler;
  readonly #record: ConnectionRecord | undefined;
  readonly #slot: ConnectionSlot;
  #connection: PooledConnection | null = null;
  #wasSent = false;

  constructor(next: Dispatcher.DispatchHandler, record: ConnectionRecord | undefined, slot: ConnectionSlot) {
    this.#next = next;
    this.#record = record;
    this.#slot = slot;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#release();
    const connection = this.#slot.current;
    if (connection) connection.inFlight++;
    this.#connection = connection;
    if (this.#record) this.#fillIn(this.#record, connection);
    this.#wasSent = true;
    this.#next.onRequestStart?.(controller, context);
  }

  #fillIn(record: ConnectionRecord, connection: PooledConnection | null): void {
    // `beginAttempt` counted the first time; this is a replay.
    if (this.#wasSent) record.attempts++;
    if (!connection) return;
    record.id = connection.id;
    record.protocol = connection.protocol;
    record.reused = connection.establishedAt <= record.dispatchedAt;
    record.requestsOnConnection = ++connection.requests;
    record.connectTimeMs = connection.connectTimeMs;
    record.tlsResumed = connection.tlsResumed;
  }

  /** Called when the request ends, fails, or is replayed on another connection. */
  #release(): void {
    if (!this.#connection) return;
    this.#connection.inFlight--;
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

/** Checks, and PINGs, within the time after which a connection counts as dead. */
export const LIVENESS_CHECKS = 4;

/** Nothing arrived on a connection any more, not even answers to PINGs. */
class DeadConnectionError extends Error {
  override readonly name = 'DeadConnectionError';
}

/**
 * Destroys `socket`, a connection over HTTP/2, when nothing has arrived on it for `deadAfterMs` milliseconds. undici sends a
 * PING before each check, and a living peer answers it whatever its model does (RFC 9113, section 6.7). Requests in flight
 * fail with {@link DeadConnectionError}.
 */
function closeWhenDead(socket: TLSSocket, deadAfterMs: number): void {
  let received = socket.bytesRead;
  let silentChecks = 0;
  // After a pause of the process only one check is made up for, and then the data that has arrived is read.
  const timer = setInterval(() => {
    silentChecks = socket.bytesRead === received ? silentChecks + 1 : 0;
    received = socket.bytesRead;
    if (silentChecks >= LIVENESS_CHECKS)
      socket.destroy(new DeadConnectionError('nothing arrives on the connection'));
  }, deadAfterMs / LIVENESS_CHECKS).unref();
  socket.once('close', () => clearInterval(timer));
}
