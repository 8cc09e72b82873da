/** A token bucket: the rate limit of a service. */
import type { Clock } from './events.ts';

/** Refills with `perSecond` tokens a second, up to `capacity`. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #at = 0;

  constructor(clock: Clock, perSecond: number, capacity: number) {
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#capacity = this.#tokens = capacity;
  }

  /** Takes `tokens` when there are as many. */
  take(tokens: number): boolean {
    if (this.waitMs(tokens) > 0) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Milliseconds until there are `tokens`; 0 when there are as many now. */
  waitMs(tokens: number): number {
    const { now } = this.#clock;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    return Math.max(0, (tokens - this.#tokens) / this.#perMs);
  }
}
