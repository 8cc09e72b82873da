/** Aborting the wait for work that may ignore its abort signal. */

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
