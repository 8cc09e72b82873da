/** Keeps questions away from an endpoint that fails again and again, and finds out when it is back. */

/** Failures in a row that open it, and for how long: DESIGN, "Faults". */
const MAX_FAILURES = 5;
const OPEN_MS = 10_000;
/** What to tell others while the one request is under way that decides. */
const PROBE_WAIT_MS = 1000;

/**
 * Closed at first. The fifth failure in a row opens it for 10 s; then it is half open: one request may try, and its
 * success closes it, its failure opens it again.
 */
export class CircuitBreaker {
  readonly #onOpen: () => void;
  #failures = 0;
  /** On the clock of `performance.now()`. */
  #openUntil = 0;
  #probing = false;

  /** `onOpen` is called each time it opens. */
  constructor(onOpen: () => void) {
    this.#onOpen = onOpen;
  }

  /** True from the fifth failure in a row until a request succeeds. */
  get isOpen(): boolean {
    return this.#failures >= MAX_FAILURES;
  }

  /** Milliseconds until a request may be sent; 0 when one may be sent now. */
  get waitMs(): number {
    if (!this.isOpen) return 0;
    if (this.#probing) return PROBE_WAIT_MS;
    return Math.max(0, this.#openUntil - performance.now());
  }

  /**
   * Runs `request`, to be called when {@link waitMs} is 0. What it throws is thrown on; it counts, as a failure, only
   * if `isFailure` says so: a refusal or an abort tells nothing about the endpoint's health.
   */
  async run<T>(request: () => Promise<T>, isFailure: (error: unknown) => boolean): Promise<T> {
    const probes = this.isOpen;
    if (probes) this.#probing = true;
    try {
      const result = await request();
      this.#failures = 0;
      return result;
    } catch (error) {
      if (isFailure(error)) this.#fail(probes);
      throw error;
    } finally {
      if (probes) this.#probing = false;
    }
  }

  #fail(probed: boolean): void {
    this.#failures++;
    // Those that were under way when it opened fail later, and must not keep it open for longer.
    if (!probed && this.#failures !== MAX_FAILURES) return;
    this.#openUntil = performance.now() + OPEN_MS;
    this.#onOpen();
  }
}
