/** A server of the SDK for one HTTP request, which reports each of its requests when it ends. */
import { McpServer, type RequestId, type ServerOptions, type Transport } from '@modelcontextprotocol/server';
import type { FinishedMcpRequest, FinishedQuestion, McpOutcome } from '../telemetry/finished.ts';
import { withInvalidParams } from './invalid-params.ts';

/** A request in progress, and what is known of it. */
export type RunningRequest = Omit<FinishedMcpRequest, 'endedAt' | 'outcome'>;

/** What an {@link ObservedServer} needs. */
export interface Observer {
  /** Gives what is to be reported of a request that begins now. */
  onBegin(message: IncomingRequest): RunningRequest;
  onEnd(finished: FinishedMcpRequest): void;
}

/** A request as the client sent it. */
export interface IncomingRequest {
  id: RequestId;
  method: string;
  params?: Record<string, unknown> | undefined;
}

type Message = Parameters<NonNullable<Transport['onmessage']>>[0];

/** A notification that a client no longer wants an answer. */
export interface Cancellation {
  jsonrpc: '2.0';
  method: 'notifications/cancelled';
  params: { requestId: RequestId };
}

/** True for a cancellation that names a request. */
export function isCancellation(message: unknown): message is Cancellation {
  const { method, params } = (message ?? {}) as Partial<Cancellation>;
  return method === 'notifications/cancelled' && ['string', 'number'].includes(typeof params?.requestId);
}

/** A server that observes its transport. */
export class ObservedServer extends McpServer {
  readonly #observer: Observer;
  readonly #running = new Map<RequestId, RunningRequest>();
  readonly #closed = Promise.withResolvers<void>();
  #transport: Transport | undefined;
  /** Whether a request gets no answer, so that the transport would wait for one. */
  #isIncomplete = false;

  constructor(info: ConstructorParameters<typeof McpServer>[0], options: ServerOptions, observer: Observer) {
    super(info, options);
    this.#observer = observer;
    // A request without an answer by then was cancelled, or its caller has disconnected.
    this.server.onclose = () => {
      for (const id of this.#running.keys()) this.#end(id, 'left');
      this.#closed.resolve();
    };
  }

  /** Resolves when the exchange with the client is over. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  override async connect(transport: Transport): Promise<void> {
    await super.connect(transport);
    this.#transport = transport;
    const receive = transport.onmessage;
    transport.onmessage = (message, extra) => {
      if ('method' in message && 'id' in message) this.#begin(message);
      receive?.(message, extra);
      if (isCancellation(message)) this.#leave(message.params.requestId);
    };
    const send = transport.send.bind(transport);
    transport.send = async (sent, options) => {
      const message = withInvalidParams(sent);
      const outcome = outcomeOf(message);
      if (outcome !== undefined && 'id' in message && message.id !== undefined)
        this.#end(message.id, outcome);
      await send(message, options);
      await this.#closeIfIdle();
    };
  }

  /** Adds the question that a request has asked. False when the request is over. */
  addQuestion(id: RequestId, question: FinishedQuestion): boolean {
    const running = this.#running.get(id);
    if (running) running.question = question;
    return running !== undefined;
  }

  /** Cancels a request as its client asked. */
  cancel(cancellation: Cancellation): void {
    if (this.#running.has(cancellation.params.requestId)) this.#transport?.onmessage?.(cancellation);
  }

  #leave(id: RequestId): void {
    if (!this.#running.has(id)) return;
    this.#end(id, 'left');
    this.#isIncomplete = true;
    // Not at once: the message may be one of a batch, whose others follow.
    queueMicrotask(() => void this.#closeIfIdle());
  }

  /** Ends the exchange after a cancellation, when no other request is in progress. */
  async #closeIfIdle(): Promise<void> {
    if (this.#isIncomplete && this.#running.size === 0) await this.close();
  }

  #begin(message: IncomingRequest): void {
    this.#running.set(message.id, this.#observer.onBegin(message));
  }

  #end(id: RequestId, outcome: McpOutcome): void {
    const running = this.#running.get(id);
    if (!running) return;
    this.#running.delete(id);
    this.#observer.onEnd({ ...running, outcome, endedAt: performance.now() });
  }
}

/** The outcome that a message of the server tells; undefined when it is not the answer to a request. */
function outcomeOf(message: Message): McpOutcome | undefined {
  if ('error' in message) return message.error.code;
  if (!('result' in message)) return undefined;
  return message.result['isError'] === true ? 'tool_error' : 'ok';
}
