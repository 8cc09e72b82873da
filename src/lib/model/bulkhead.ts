/**
 * A concurrency limit with a bounded queue, so that a burst of calls cannot exhaust the memory of the process. Rejected:
 * that of cockatiel, which keeps an aborted call in its queue and can give a waiting call's place to a newer one.
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
