/** One endpoint of the model, with its circuit breaker, its rate limit and the parameters that it accepts. */
import { AskError, errors } from '../contract/errors.ts';
import { causesFrom } from '../contract/ask-error.ts';
import type { Exchange } from '../pool/http-client.ts';
import { IdentityError } from '../common/identity.ts';
import { CircuitBreaker, OPEN_MS } from './guards.ts';
import {
  addCompletion,
  type CallContext,
  type CallRecord,
  type Completion,
  type ModelTarget,
} from './completion.ts';
import { ask } from './langchain-call.ts';
import { EmptyAnswerError, isDeploymentGone } from './model-errors.ts';
import { adapt, type ModelOverrides } from './parameters.ts';
import type { PooledChatModel } from './pooled-chat-model.ts';

/** Duration of a rate limit when the response has no `Retry-After`. */
const DEFAULT_RATE_LIMIT_MS = 1000;
/** Largest random addition to a wait time, as a share of it, so that the waiting calls do not all retry at once. */
const RATE_LIMIT_JITTER = 0.1;

/** For this time other endpoints are tried before an endpoint whose deployment is gone. */
const GONE_MS = 60_000;

const NO_OUTPUT_LIMIT = 'refuses the limit of the output, without which no budget holds: its answers fail.';

/** An endpoint of the model. It lives as long as the process. */
export class ModelEndpoint {
  /** Index in the settings: 0 is the primary endpoint. */
  readonly index: number;
  readonly breaker: CircuitBreaker;
  readonly #model: PooledChatModel;
  readonly #warn: (message: string) => void;
  #target: ModelTarget;
  /** These are on the clock of `performance.now()`. */
  #rateLimitedAt = -Infinity;
  #rateLimitedUntil = 0;
  #goneUntil = 0;
  /** The model of the last completion that named one. */
  #modelName: string | undefined;

  /** `warn` gets the rest of a sentence that begins with the deployment. */
  constructor(index: number, model: PooledChatModel, target: ModelTarget, warn: (message: string) => void) {
    this.index = index;
    this.#model = model;
    this.#target = target;
    this.#warn = warn;
    this.breaker = new CircuitBreaker(() =>
      warn(`failed repeatedly: its circuit breaker is open for ${OPEN_MS / 1000} s.`),
    );
  }

  get deployment(): string {
    return this.#target.deployment;
  }

  /** The deployment, the configured parameters without those that the endpoint refused, and those that a caller wants. */
  targetFor(overrides: ModelOverrides | undefined): ModelTarget {
    const { deployment, parameters } = this.#target;
    return overrides ? { deployment, parameters: { ...parameters, ...overrides.parameters } } : this.#target;
  }

  /** Name and version of the model; undefined before the first completion, since a deployment can have any name. */
  get modelName(): string | undefined {
    return this.#modelName;
  }

  /** Whether the deployment was missing at the last request, less than a minute ago. */
  get isGone(): boolean {
    return performance.now() < this.#goneUntil;
  }

  /** Milliseconds until the rate limit of the endpoint ends; 0 when it is not rate-limited. */
  get rateLimitMs(): number {
    return Math.max(0, this.#rateLimitedUntil - performance.now());
  }

  /** Calls the model. @throws AskError without a usable answer, or the reason of the signal. */
  async complete(call: CallRecord, context: CallContext): Promise<Completion> {
    call.connection.endpoint = this.index;
    const startedAt = performance.now();
    try {
      const send = (onHealthy: () => void) => this.#send(call, context, onHealthy);
      const completion = await this.breaker.run(send, faultOf);
      // A call that was sent before the limit says nothing about it.
      if (this.#rateLimitedAt < startedAt) this.#rateLimitedUntil = 0;
      return completion;
    } catch (error) {
      this.#noteUnavailability(error);
      throw error;
    }
  }

  /** Sends the request, and again with other parameters after a refusal. Later requests use those parameters too. */
  async #send(call: CallRecord, context: CallContext, onHealthy: () => void): Promise<Completion> {
    const exchange: Exchange = {
      signal: context.signal,
      record: call.connection,
      onResponse: (status) => void (status < 400 && onHealthy()),
    };
    for (;;) {
      const own = this.#target;
      const target = this.targetFor(context.overrides);
      try {
        const { promptCacheKey } = context;
        const options = {
          parameters: target.parameters,
          exchange,
          ...(promptCacheKey && { promptCacheKey }),
        };
        const answer = await ask(this.#model, call, options, context.onText);
        const completion = { ...answer, target };
        addCompletion(call, completion);
        // Some answers do not name the model: the last known name remains.
        this.#modelName = completion.model || this.#modelName;
        return assertAnswer(completion);
      } catch (error) {
        const adaptation = adapt(target.parameters, context.overrides, error);
        if (!adaptation) throw error;
        const changed = adaptation.change(own.parameters);
        if (context.budget?.needsOutputLimit && changed.maxOutputTokens === undefined) {
          this.#warn(NO_OUTPUT_LIMIT);
          throw error;
        }
        // Otherwise a concurrent request has already changed the parameters.
        if (this.#target === own) {
          this.#target = { ...own, parameters: changed };
          this.#warn(adaptation.advice);
        }
      }
    }
  }

  #noteUnavailability(error: unknown): void {
    if (isDeploymentGone(error)) this.#goneUntil = performance.now() + GONE_MS;
    if (!isRetryable(error)) return;
    const { code, retryAfterMs = code === 'model_rate_limited' ? DEFAULT_RATE_LIMIT_MS : 0 } = error;
    const waitMs = retryAfterMs * (1 + RATE_LIMIT_JITTER * Math.random());
    this.#rateLimitedAt = performance.now();
    this.#rateLimitedUntil = Math.max(this.#rateLimitedUntil, this.#rateLimitedAt + waitMs);
  }
}

/** Returns a completion that is a usable answer. @throws AskError when it is not. */
function assertAnswer(completion: Completion): Completion {
  const { text, finishReason } = completion;
  if (finishReason === 'content_filter') throw errors.contentFiltered();
  if (text !== '') return completion;
  if (finishReason === 'length') throw errors.outputLimitReached();
  throw errors.modelUnavailable(new EmptyAnswerError(`finish_reason ${finishReason}`));
}

/** Whether another attempt may succeed. */
export const isRetryable = (error: unknown): error is AskError =>
  error instanceof AskError && (error.code === 'model_unavailable' || error.code === 'model_rate_limited');

/**
 * Returns the fault behind an error, or null when the error says nothing about the health of the endpoint. Requests that
 * failed for the same reason, such as a broken connection, share their innermost error.
 */
function faultOf(error: unknown): object | null {
  if (!(error instanceof AskError) || error.code !== 'model_unavailable') return null;
  const chain = causesFrom(error);
  // An empty answer is no outage, and without a token no request was sent to the endpoint.
  if (chain.some((cause) => cause instanceof EmptyAnswerError || cause instanceof IdentityError)) return null;
  return chain.at(-1) ?? error;
}
