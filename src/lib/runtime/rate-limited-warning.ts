/** Warnings that would otherwise fill the log: however often something fails, the log says so once a minute. */
const INTERVAL_MS = 60_000;

/** Counts a failure, and warns of it unless that was done less than a minute ago; `count` is that of all so far. */
export type RateLimitedWarning = (toMessage: (count: number) => string) => void;

/** Makes the warning of one kind of failure. */
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
