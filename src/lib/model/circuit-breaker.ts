/** Keeps questions away from an endpoint that fails again and again, and finds out when it is back. */

/** Failures in a row that open it, and for how long. */
const MAX_FAILURES = 5;
const OPEN_MS = 10_000;
/** Requests that may find out at the same time whether the endpoint is back: one alone may be slow. */
const MAX_PROBES = 3;
/** What to tell others while these are under way. */
const PROBE_WAIT_MS = 1000;

/**
 * Closed at first. The fifth failure in a row opens it for 10 s; then it is half open: a few requests may try. The
 * first sign of health closes it, the first failure opens it again.
 */
export class CircuitBreaker {
  readonly #onOpen: () => void;
  #failures = 0;
  /** On the clock of `performance.now()`. */
  #openUntil = 0;
  #probes = 0;
  /** How often it has opened. */
  #openings = 0;
  /** Faults that were counted. */
  readonly #counted = new WeakSet<object>();

  /** `onOpen` is called each time it opens. */
  constructor(onOpen: () => void) {
    this.#onOpen = onOpen;
  }

  /** True from the fifth failure in a row until there is a sign of health. */
  get isOpen(): boolean {
    return this.#failures >= MAX_FAILURES;
  }

  /** Milliseconds until a request may be sent; 0 when one may be sent now. */
  get waitMs(): number {
    if (!this.isOpen) return 0;
    const wait = this.#openUntil - performance.now();
    if (wait > 0) return wait;
    return this.#probes < MAX_PROBES ? 0 : PROBE_WAIT_MS;
  }

  /**
   * Runs `request`, to be called when {@link waitMs} is 0; it calls `onHealthy` at the first sign of health. What it
   * throws is thrown on. It counts as a failure only if `faultOf` gives the fault behind it, and once for each fault:
   * a connection that breaks fails all requests on it. Refusals and aborts tell nothing about the endpoint's health.
   */
  async run<T>(
    request: (onHealthy: () => void) => Promise<T>,
    faultOf: (error: unknown) => object | null,
  ): Promise<T> {
    const opening = this.#openings;
    const onHealthy = (): void => void (this.#failures = 0);
    const probes = this.isOpen;
    if (probes) this.#probes++;
    try {
      const result = await request(onHealthy);
      onHealthy();
      return result;
    } catch (error) {
      const fault = faultOf(error);
      // What was sent before it opened says nothing about the time since.
      if (fault && opening === this.#openings) this.#fail(fault);
      throw error;
    } finally {
      if (probes && opening === this.#openings) this.#probes--;
    }
  }

  #fail(fault: object): void {
    if (this.#counted.has(fault)) return;
    this.#counted.add(fault);
    this.#failures++;
    if (!this.isOpen) return;
    this.#openUntil = performance.now() + OPEN_MS;
    this.#openings++;
    this.#probes = 0;
    this.#onOpen();
  }
}
