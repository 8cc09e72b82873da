/** A server of the SDK for one HTTP request, which reports each of its requests when it ends. */
import { McpServer, type RequestId, type ServerOptions, type Transport } from '@modelcontextprotocol/server';
import type { FinishedMcpRequest, FinishedQuestion, McpOutcome } from '../telemetry/finished.ts';

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

/** A server that observes its transport. */
export class ObservedServer extends McpServer {
  readonly #observer: Observer;
  readonly #running = new Map<RequestId, RunningRequest>();
  readonly #closed = Promise.withResolvers<void>();
  #transport: Transport | undefined;

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
    };
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      const outcome = outcomeOf(message);
      if (outcome !== undefined && 'id' in message && message.id !== undefined)
        this.#end(message.id, outcome);
      return send(message, options);
    };
  }

  /** Adds the question that a request has asked. False when the request is over. */
  addQuestion(id: RequestId, question: FinishedQuestion): boolean {
    const running = this.#running.get(id);
    if (running) running.question = question;
    return running !== undefined;
  }

  /** Cancels a request as its client asked. The exchange ends when no other request is in progress. */
  async cancel(id: RequestId, notification: Message): Promise<void> {
    if (!this.#running.has(id)) return;
    this.#transport?.onmessage?.(notification);
    this.#end(id, 'left');
    if (this.#running.size === 0) await this.close();
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
