/** Work under way that the process must not lose when it stops: open questions, background writes. */

/** A set of promises that can be waited for. */
export class PendingWork {
  readonly #open = new Set<Promise<unknown>>();

  /** Remembers `work` until it is settled; gives it back unchanged. */
  add<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.then(
      () => this.#open.delete(settled),
      () => this.#open.delete(settled),
    );
    this.#open.add(settled);
    return work;
  }

  /** Waits until all that is open now is settled, at most `timeoutMs` milliseconds. True when it was. */
  async drain(timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const drained = Promise.all(this.#open).then(() => true as const);
    try {
      return await Promise.race([drained, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}
