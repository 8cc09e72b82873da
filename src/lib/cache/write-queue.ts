/** Background writes, one after another, in the order in which they came. */

interface Queued {
  write: () => Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long writes may go on before other work has its turn again. */
const TURN_MS = 2;

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
    let turnEndsAt = 0;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      // After what else the process has to do, so that no answer waits; but more than one at a time, since a busy process
      // makes more answers than it has turns.
      if (performance.now() >= turnEndsAt) {
        await new Promise(setImmediate);
        turnEndsAt = performance.now() + TURN_MS;
      }
      await next.write().then(next.resolve, next.reject);
    }
    this.#running = false;
  }
}
