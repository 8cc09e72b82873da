/** The circuit breaker of src/lib/model/circuit-breaker.ts in simulated time. A test holds the two together. */
import type { Clock } from './events.ts';

const MAX_FAILURES = 5;
const OPEN_MS = 10_000;
const MAX_PROBES = 3;
const PROBE_WAIT_MS = 1000;

/** Closed, open for 10 s after five failures in a row, then half open. */
export class SimulatedBreaker {
  readonly #clock: Clock;
  #failures = 0;
  #openUntil = 0;
  #probes = 0;
  #openings = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get #isOpen(): boolean {
    return this.#failures >= MAX_FAILURES;
  }

  /** Milliseconds until a request may be sent. */
  get waitMs(): number {
    if (!this.#isOpen) return 0;
    const wait = this.#openUntil - this.#clock.now;
    if (wait > 0) return wait;
    return this.#probes < MAX_PROBES ? 0 : PROBE_WAIT_MS;
  }

  /** Notes that a request begins. Call the result with its end: `refusal` says nothing about the endpoint's health. */
  begin(): (end: 'success' | 'failure' | 'refusal') => void {
    const opening = this.#openings;
    const isProbe = this.#isOpen;
    if (isProbe) this.#probes++;
    return (end) => {
      if (end === 'success') this.#failures = 0;
      if (end === 'failure' && opening === this.#openings) this.#fail();
      if (isProbe && opening === this.#openings) this.#probes--;
    };
  }

  #fail(): void {
    this.#failures++;
    if (!this.#isOpen) return;
    this.#openUntil = this.#clock.now + OPEN_MS;
    this.#openings++;
    this.#probes = 0;
  }
}
