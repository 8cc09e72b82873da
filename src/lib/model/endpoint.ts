/** One endpoint of the model: what it is sent, whether it may be asked, and what its answers say about it. */
import type { ChatOpenAICompletions } from '@langchain/openai';
import { complete, type ModelRequest, stream } from './chat-model.ts';
import type { Completion } from './completion.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { chainOf } from '../runtime/error-chain.ts';
import { AskError, errors } from '../contract/errors.ts';
import { IdentityError } from '../runtime/identity.ts';
import { EmptyAnswerError } from './model-errors.ts';
import { adapt, type ModelParameters } from './parameters.ts';

/** How long an endpoint counts as rate-limited that does not say for how long it is. */
const DEFAULT_LIMIT_MS = 1000;
/** Share of a wait that the model asked for, added at random so that not all come back at the same moment. */
const LIMIT_JITTER = 0.1;

/** What a request needs beside what the endpoint knows itself. */
export type EndpointRequest = Pick<ModelRequest, 'prompt' | 'record' | 'signal'> & {
  /** Is given the text as it comes; without it the answer is no stream. */
  onToken: ((text: string) => void) | undefined;
  /** Is given each completion, before it is judged: what it cost is spent. */
  onCompletion: (completion: Completion) => void;
};

/** An endpoint, for the life of the process. */
export class ModelEndpoint {
  /** As configured: 0 is the primary one. */
  readonly index: number;
  readonly breaker: CircuitBreaker;
  readonly #model: ChatOpenAICompletions;
  readonly #warn: (message: string) => void;
  #parameters: ModelParameters;
  /** On the clock of `performance.now()`. */
  #limitedUntil = 0;

  constructor(
    index: number,
    model: ChatOpenAICompletions,
    parameters: ModelParameters,
    warn: (message: string) => void,
  ) {
    this.index = index;
    this.#model = model;
    this.#parameters = parameters;
    this.#warn = warn;
    this.breaker = new CircuitBreaker(() =>
      warn(`Endpoint ${index} of the model fails again and again; it is left alone for 10 s.`),
    );
  }

  /** What it is sent: the settings, without what it refused. */
  get parameters(): ModelParameters {
    return this.#parameters;
  }

  /** Milliseconds for which it wants no requests, after a 429. */
  get limitMs(): number {
    return Math.max(0, this.#limitedUntil - performance.now());
  }

  /** Asks it. @throws AskError when the answer is none, or the reason of the signal. */
  async ask(request: EndpointRequest): Promise<Completion> {
    request.record.endpoint = this.index;
    try {
      const completion = await this.breaker.run((onHealthy) => this.#send(request, onHealthy), faultOf);
      this.#limitedUntil = 0;
      return completion;
    } catch (error) {
      this.#noteLimit(error);
      throw error;
    }
  }

  /** Once more for each parameter that is refused, which is remembered. */
  async #send(request: EndpointRequest, onHealthy: () => void): Promise<Completion> {
    const onResponse = (status: number): void => void (status < 400 && onHealthy());
    for (;;) {
      const parameters = this.#parameters;
      const { onToken } = request;
      const sent: ModelRequest = { ...request, parameters, onResponse };
      try {
        const completion = await (onToken ? stream(this.#model, sent, onToken) : complete(this.#model, sent));
        request.onCompletion(completion);
        return judge(completion);
      } catch (error) {
        const adapted = adapt(parameters, error);
        if (!adapted) throw error;
        // Otherwise another question has learned it meanwhile.
        if (this.#parameters === parameters) {
          this.#parameters = adapted.parameters;
          this.#warn(`Endpoint ${this.index} of the model ${adapted.advice}`);
        }
      }
    }
  }

  #noteLimit(error: unknown): void {
    if (!isRetryable(error)) return;
    const { code, retryAfterMs = code === 'model_rate_limited' ? DEFAULT_LIMIT_MS : 0 } = error;
    const waitMs = retryAfterMs * (1 + LIMIT_JITTER * Math.random());
    this.#limitedUntil = Math.max(this.#limitedUntil, performance.now() + waitMs);
  }
}

/** Gives a completion that is an answer. @throws AskError for one that is none. */
function judge(completion: Completion): Completion {
  const { text, finishReason } = completion;
  if (finishReason === 'content_filter') throw errors.contentFiltered();
  if (text !== '') return completion;
  if (finishReason === 'length') throw errors.outputLimitReached();
  throw errors.modelUnavailable(new EmptyAnswerError(`finish_reason ${finishReason}`));
}

/** True for what another attempt may not meet. */
export const isRetryable = (error: unknown): error is AskError =>
  error instanceof AskError && (error.code === 'model_unavailable' || error.code === 'model_rate_limited');

/**
 * The fault that an error tells of, or null when the endpoint is healthy all the same. Requests that failed by the same
 * fault, such as a connection that broke, have the same innermost error.
 */
function faultOf(error: unknown): object | null {
  if (!(error instanceof AskError) || error.code !== 'model_unavailable') return null;
  const chain = chainOf(error);
  // A model that says nothing is not out of order, and who signs in to it was not even sent there.
  if (chain.some((cause) => cause instanceof EmptyAnswerError || cause instanceof IdentityError)) return null;
  return chain.at(-1) ?? error;
}
