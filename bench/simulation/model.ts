/** The model: endpoints with a quota of tokens a minute, and their failures. */
import { TokenBucket } from './bucket.ts';
import type { Activity, Clock } from './events.ts';
import type { Random } from './random.ts';
import type { RunRecord } from './run-record.ts';
import type { Scenario } from './scenario.ts';

/** The result of one request. `workMs` is the model's time. */
export type ModelResult =
  | { type: 'answer'; workMs: number }
  | { type: 'limited'; retryAfterMs: number }
  | { type: 'failure' }
  | { type: 'timeout' };

/** Azure evaluates a quota over periods shorter than a minute. 10 s are assumed. */
const QUOTA_PERIOD_S = 10;
/** Time of a refusal or failure. Assumed. */
const REFUSAL_MS = 50;

/** All endpoints of a deployment. */
export class Model {
  readonly #clock: Clock;
  readonly #record: RunRecord;
  readonly #random: Random;
  readonly #settings: Scenario['model'];
  readonly #quotas: TokenBucket[];

  constructor(clock: Clock, record: RunRecord, random: Random, { model, slice }: Scenario) {
    this.#clock = clock;
    this.#record = record;
    this.#random = random;
    this.#settings = model;
    const perSecond = model.tokensPerMinute / 60 / slice;
    // At least one question, so that a small quota lets one through.
    const capacity = Math.max(perSecond * QUOTA_PERIOD_S, model.tokens);
    this.#quotas = Array.from({ length: model.endpoints }, () => new TokenBucket(clock, perSecond, capacity));
  }

  /** Sends a request to an endpoint. It ends at `deadline` at the latest. */
  *request(endpoint: number, deadline: number): Activity<ModelResult> {
    const { tokens, meanMs, sigma, failureShare } = this.#settings;
    this.#record.modelRequests++;
    const quota = this.#quotas[endpoint];
    if (quota?.take(tokens) !== true) {
      this.#record.meet('model quota', this.#clock.now);
      yield this.#clock.wait(REFUSAL_MS);
      // The header has whole seconds.
      return { type: 'limited', retryAfterMs: Math.ceil((quota?.waitMs(tokens) ?? 0) / 1000 || 1) * 1000 };
    }
    if (this.#isOut(endpoint) || this.#random.next() < failureShare) {
      this.#record.meet('model failures', this.#clock.now);
      yield this.#clock.wait(REFUSAL_MS);
      return { type: 'failure' };
    }
    const workMs = meanMs === 0 ? 0 : this.#random.lognormal(meanMs, sigma);
    const leftMs = deadline - this.#clock.now;
    yield this.#clock.wait(Math.max(0, Math.min(workMs, leftMs)));
    if (workMs > leftMs) return { type: 'timeout' };
    this.#record.completions++;
    return { type: 'answer', workMs };
  }

  #isOut(endpoint: number): boolean {
    const { outage } = this.#settings;
    const { now } = this.#clock;
    return endpoint === 0 && outage !== null && now >= outage.fromMs && now < outage.toMs;
  }
}
