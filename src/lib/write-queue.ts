/** Background writes, one after another, in the order in which they came. */

interface Queued {
  write: () => Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Carries out writes one at a time; what comes while `capacity` are waiting is refused. */
export class WriteQueue {
  readonly #capacity: number;
  readonly #waiting: Queued[] = [];
  #running = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when `write` has been carried out. @throws what it throws, or Error when too many wait. */
  add(write: () => Promise<void>): Promise<void> {
    if (this.#waiting.length >= this.#capacity) return Promise.reject(new Error('too many writes wait'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      // Each after what else the process has to do: an answer never waits for a write.
      await new Promise(setImmediate);
      await next.write().then(next.resolve, next.reject);
    }
    this.#running = false;
  }
}
