/**
 * The guards of model calls: a concurrency limit with a bounded queue (bulkhead), so that a burst of calls cannot exhaust the
 * memory of the process; and a circuit breaker, which stops requests to an endpoint that fails repeatedly, and detects when
 * the endpoint recovers. Rejected: those of cockatiel. Its bulkhead keeps an aborted call in its queue and can give a waiting
 * call's place to a newer one. Its circuit breaker, half open, lets other calls wait for the probe without a way to abort
 * them, an aborted probe closes it, and it does not tell the time of the next attempt, which `Retry-After` needs.
 */

/** Runs up to `limit` calls at once. Up to `limit` more calls wait in a first-in, first-out queue. */
export class Bulkhead {
  readonly #limit: number;
  readonly #onFull: () => Error;
  #running = 0;
  /** Each function starts a waiting call. A Set keeps their order, and an aborted call is removed in constant time. */
  readonly #queue = new Set<() => void>();

  /** `onFull` creates the error for a call that finds the queue full. */
  constructor(limit: number, onFull: () => Error) {
    this.#limit = limit;
    this.#onFull = onFull;
  }

  /**
   * Runs `call` when there is capacity.
   * @throws the error of `onFull` when the queue is full, or the reason of `signal` when it aborts a waiting call.
   */
  async run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#running < this.#limit) this.#running++;
    else await this.#wait(signal);
    try {
      return await call();
    } finally {
      this.#release();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#queue.size >= this.#limit) throw this.#onFull();
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener('abort', cancel);
        resolve();
      };
      const cancel = (): void => {
        this.#queue.delete(start);
        reject(signal.reason as Error);
      };
      this.#queue.add(start);
      signal.addEventListener('abort', cancel, { once: true });
    });
  }

  /** Passes the capacity directly to the first waiting call, so that a new call cannot overtake the queue. */
  #release(): void {
    const [next] = this.#queue;
    if (!next) {
      this.#running--;
      return;
    }
    this.#queue.delete(next);
    next();
  }
}

/** Consecutive failures that open the breaker. */
const MAX_FAILURES = 5;
/** How long the breaker stays open before it lets probes through. */
export const OPEN_MS = 10_000;
/** Concurrent requests while half open. More than one, because a single one may be slow. */
const MAX_PROBES = 3;
/** Wait time for other requests while the probes are in flight. */
const PROBE_WAIT_MS = 1000;

/**
 * Closed at first. The fifth consecutive failure opens it for 10 s. Then it is half open and lets a few requests through
 * as probes: the first success closes it, the first failure opens it again.
 */
export class CircuitBreaker {
  readonly #onOpen: () => void;
  /** Consecutive failures. */
  #failures = 0;
  /** On the clock of `performance.now()`. */
  #openUntil = 0;
  /** Probes in flight. */
  #probes = 0;
  #openings = 0;
  readonly #countedFaults = new WeakSet<object>();

  /** `onOpen` is called each time the breaker opens. */
  constructor(onOpen: () => void) {
    this.#onOpen = onOpen;
  }

  /** True while open or half open. */
  get isOpen(): boolean {
    return this.#failures >= MAX_FAILURES;
  }

  /** How many times it opened since the process started. */
  get openings(): number {
    return this.#openings;
  }

  /** Milliseconds until a request may be sent; 0 when one may be sent now. */
  get waitMs(): number {
    if (!this.isOpen) return 0;
    const wait = this.#openUntil - performance.now();
    if (wait > 0) return wait;
    return this.#probes < MAX_PROBES ? 0 : PROBE_WAIT_MS;
  }

  /**
   * Runs `request` and rethrows its errors. Call it only when {@link waitMs} is 0. `request` may call `onHealthy` before
   * it resolves, for example when the response headers arrive. An error is a failure only if `faultOf` returns the
   * underlying fault. Each fault is counted once, because a broken connection fails all requests on it. Refusals and
   * aborts have no fault: they say nothing about the health of the endpoint.
   */
  async run<T>(
    request: (onHealthy: () => void) => Promise<T>,
    faultOf: (error: unknown) => object | null,
  ): Promise<T> {
    const opening = this.#openings;
    const onHealthy = (): void => void (this.#failures = 0);
    const isProbe = this.isOpen;
    if (isProbe) this.#probes++;
    try {
      const result = await request(onHealthy);
      onHealthy();
      return result;
    } catch (error) {
      const fault = faultOf(error);
      // A request from before the last opening says nothing about the endpoint now.
      if (fault && opening === this.#openings) this.#fail(fault);
      throw error;
    } finally {
      if (isProbe && opening === this.#openings) this.#probes--;
    }
  }

  #fail(fault: object): void {
    if (this.#countedFaults.has(fault)) return;
    this.#countedFaults.add(fault);
    this.#failures++;
    if (!this.isOpen) return;
    this.#openUntil = performance.now() + OPEN_MS;
    this.#openings++;
    this.#probes = 0;
    this.#onOpen();
  }
}
