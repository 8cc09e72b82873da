/** Work in flight that the process completes before it stops: questions and background writes. */

/** A set of unsettled promises. */
export class PendingWork {
  readonly #inFlight = new Set<Promise<unknown>>();

  /** Tracks `work` until it settles, and returns it unchanged. */
  add<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.then(
      () => this.#inFlight.delete(settled),
      () => this.#inFlight.delete(settled),
    );
    this.#inFlight.add(settled);
    return work;
  }

  /** Waits at most `timeoutMs` milliseconds for the work in flight. Resolves to false when the time was not enough. */
  async drain(timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const drained = Promise.all(this.#inFlight).then(() => true as const);
    try {
      return await Promise.race([drained, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}
