/** Waiting for work that may not obey the signal it was given. */

/**
 * Gives what `work` gives, or throws the reason of `signal` when that aborts first. The work itself may go on; what
 * becomes of it then is ignored.
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
    // Rejected later, when nobody listens any more.
    work.catch(() => {});
  }
}
