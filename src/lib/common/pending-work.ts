/** Waiting for work: until an abort, between two looks, and before the process stops. */
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_GROWTH = 1.5;
/** Items of {@link forEachConcurrently} that are worked on at the same time. */
const CONCURRENCY = 8;

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

/**
 * Settles as `work` does, or rejects with the reason of `signal` when that aborts first. The work itself may continue;
 * its outcome is then ignored.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Prevents an unhandled rejection when `work` fails after the abort.
    work.catch(() => {});
  }
}

/**
 * Calls `onLate` after `ms` milliseconds, unless the function that it returns is called before. When the event loop comes late
 * to it, after a pause of the process or while it is busy, `onLate` has to wait as long again: timers come before sockets, on
 * which the response may be.
 */
export function startTimeLimit(ms: number, onLate: () => void): () => void {
  const due = performance.now() + ms;
  let timer = setTimeout(() => {
    timer = setTimeout(onLate, performance.now() - due);
  }, ms);
  return () => clearTimeout(timer);
}

/**
 * Gives pauses between two looks at what others have to change: each lasts once to twice `firstMs` milliseconds, which grows
 * up to `maxMs`. An abort ends a pause; it never rejects.
 */
export function createPauses(firstMs: number, maxMs: number, signal: AbortSignal): () => Promise<void> {
  let pauseMs = firstMs;
  return async () => {
    const jittered = pauseMs * (1 + Math.random());
    pauseMs = Math.min(maxMs, pauseMs * PAUSE_GROWTH);
    await delay(jittered, undefined, { signal, ref: false }).catch(() => {});
  };
}

/** Does `work` for each item, for a few at the same time. Rejects when one of them does; the others may then go on. */
export async function forEachConcurrently<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const remaining = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = remaining.next(); !next.done; next = remaining.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
