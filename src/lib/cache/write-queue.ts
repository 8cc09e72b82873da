/** Background writes, carried out one after another in the order of their arrival. */

interface Queued {
  write: () => Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long writes may run before they yield to the event loop. */
const SLICE_MS = 2;

/** Carries out writes one at a time, and refuses a write while `capacity` others are waiting. */
export class WriteQueue {
  readonly #capacity: number;
  readonly #waiting: Queued[] = [];
  #running = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when `write` has been carried out. @throws the error of `write`, or Error when the queue is full. */
  add(write: () => Promise<void>): Promise<void> {
    if (this.#waiting.length >= this.#capacity) return Promise.reject(new Error('the write queue is full'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    let sliceEndsAt = 0;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      // Yielding lets pending requests go first. One write for each turn of the event loop would be too slow: a busy
      // process produces more answers than it has turns.
      if (performance.now() >= sliceEndsAt) {
        await new Promise(setImmediate);
        sliceEndsAt = performance.now() + SLICE_MS;
      }
      await next.write().then(next.resolve, next.reject);
    }
    this.#running = false;
  }
}
