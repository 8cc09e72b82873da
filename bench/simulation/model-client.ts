/** An instance's client of the model: endpoints, retries, rate limits, breakers and bulkhead, as in src/lib/model. */
import { SimulatedBreaker } from './breaker.ts';
import type { Activity, Clock } from './events.ts';
import type { Model } from './model.ts';
import type { Random } from './random.ts';
import type { RunRecord, Refusal } from './run-record.ts';

// The constants of src/lib/model/resilient-model.ts and endpoint.ts.
const MAX_ATTEMPTS = 3;
const BACKOFF_MS = 250;
const RATE_LIMIT_JITTER = 0.1;

/** The time that the model took, or why there is no answer. */
export type CallResult = { workMs: number } | { refusal: Refusal };

interface Endpoint {
  index: number;
  breaker: SimulatedBreaker;
  rateLimitedAt: number;
  rateLimitedUntil: number;
}

/** What a client is made of. */
export interface ClientParts {
  clock: Clock;
  record: RunRecord;
  random: Random;
  model: Model;
}

/** The client of one instance. */
export class ModelClient {
  readonly #parts: ClientParts;
  readonly #endpoints: Endpoint[];
  readonly #limit: number;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(parts: ClientParts, endpoints: number, limit: number) {
    this.#parts = parts;
    this.#limit = limit;
    this.#endpoints = Array.from({ length: endpoints }, (_, index) => ({
      index,
      breaker: new SimulatedBreaker(parts.clock),
      rateLimitedAt: -Infinity,
      rateLimitedUntil: 0,
    }));
  }

  /** Calls the model, as soon as fewer than the limit of calls are running. */
  *call(deadline: number): Activity<CallResult> {
    const { clock, record } = this.#parts;
    if (this.#running >= this.#limit) {
      record.meet('bulkhead', clock.now);
      if (this.#waiting.size >= this.#limit) return { refusal: 'busy' };
      if (!(yield* this.#place(deadline))) return { refusal: 'timeout' };
    } else {
      this.#running++;
    }
    const result = yield* this.#attempts(deadline);
    this.#release();
    return result;
  }

  /** Waits for a place; false at the deadline. */
  *#place(deadline: number): Activity<boolean> {
    let started = false;
    yield (resume) => {
      const begin = (): void => {
        started = true;
        resume();
      };
      this.#waiting.add(begin);
      this.#parts.clock.after(Math.max(0, deadline - this.#parts.clock.now), () => {
        if (this.#waiting.delete(begin)) resume();
      });
    };
    return started;
  }

  #release(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  *#attempts(deadline: number): Activity<CallResult> {
    const { clock, random } = this.#parts;
    const attempts = new Map<Endpoint, number>();
    let backoffMs = BACKOFF_MS;
    for (let attempt = 1; ; attempt++) {
      const preferred = this.#pick(attempts);
      if (attempt > 1 && preferred) yield clock.wait(this.#rateLimitMs(preferred));
      const endpoint = this.#pick(attempts);
      if (!endpoint) return { refusal: 'circuit_open' };
      attempts.set(endpoint, 1 + (attempts.get(endpoint) ?? 0));
      const result = yield* this.#send(endpoint, deadline);
      if ('workMs' in result || result.refusal === 'timeout') return result;
      const next = this.#pick(attempts);
      if (attempt >= MAX_ATTEMPTS || !next) return result;
      const delayMs = attempts.has(next) ? backoffMs * (1 + random.next()) : 0;
      if (attempts.has(next)) backoffMs *= 2;
      if (clock.now + Math.max(delayMs, this.#rateLimitMs(next)) >= deadline) return result;
      yield clock.wait(delayMs);
    }
  }

  *#send(endpoint: Endpoint, deadline: number): Activity<CallResult> {
    const { clock, random, model } = this.#parts;
    const end = endpoint.breaker.begin();
    const startedAt = clock.now;
    const result = yield* model.request(endpoint.index, deadline);
    if (result.type === 'answer') {
      end('success');
      if (endpoint.rateLimitedAt < startedAt) endpoint.rateLimitedUntil = 0;
      return { workMs: result.workMs };
    }
    end(result.type === 'failure' ? 'failure' : 'refusal');
    if (result.type === 'timeout') return { refusal: 'timeout' };
    if (result.type === 'failure') return { refusal: 'model_unavailable' };
    const waitMs = result.retryAfterMs * (1 + RATE_LIMIT_JITTER * random.next());
    endpoint.rateLimitedAt = clock.now;
    endpoint.rateLimitedUntil = Math.max(endpoint.rateLimitedUntil, clock.now + waitMs);
    return { refusal: 'model_rate_limited' };
  }

  #rateLimitMs({ rateLimitedUntil }: Endpoint): number {
    return Math.max(0, rateLimitedUntil - this.#parts.clock.now);
  }

  /** The first endpoint of those whose rate limit ends first and that have the fewest attempts. */
  #pick(attempts: Map<Endpoint, number>): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (const endpoint of this.#endpoints) {
      if (endpoint.breaker.waitMs > 0) continue;
      const difference = best && this.#rateLimitMs(endpoint) - this.#rateLimitMs(best);
      const isBetter =
        best === undefined ||
        (difference ?? 0) < 0 ||
        (difference === 0 && (attempts.get(endpoint) ?? 0) < (attempts.get(best) ?? 0));
      if (isBetter) best = endpoint;
    }
    return best;
  }
}
