/** Bounds what is under way at once, so that a flood of questions cannot take the memory of all. */
import { errors } from '../contract/errors.ts';

/** Lets `limit` calls run at once and as many more wait, first come, first served. */
export class Bulkhead {
  readonly #limit: number;
  #running = 0;
  /** Lets the waiting call run; in the order in which they came. */
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs `call` when its turn comes.
   * @throws AskError `busy` at once when too many wait already, or the reason of `signal` when it aborts the waiting.
   */
  async run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#running < this.#limit) this.#running++;
    else await this.#wait(signal);
    try {
      return await call();
    } finally {
      this.#leave();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#limit) throw errors.busy();
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      this.#waiting.add(enter);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes to the one who waits longest; it never is free in between, so that nobody can jump the queue. */
  #leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
