/** Warnings that are logged at most once a minute, so that repeated failures do not flood the log. */
const INTERVAL_MS = 60_000;

/** Counts a failure and logs it, unless one was logged in the last minute. `count` is the number of failures so far. */
export type RateLimitedWarning = (toMessage: (count: number) => string) => void;

/** Creates the warning for one kind of failure. */
export function createRateLimitedWarning(warn: (message: string) => void): RateLimitedWarning {
  let count = 0;
  let warnedAt = -Infinity;
  return (toMessage) => {
    count++;
    if (performance.now() - warnedAt < INTERVAL_MS) return;
    warnedAt = performance.now();
    warn(toMessage(count));
  };
}
