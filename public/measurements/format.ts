/** Formats measurements. Used by the page and by `npm run perf`, so it needs no browser. */

/** Formats a time with a non-breaking space. */
export function formatTime(seconds: number): string {
  if (seconds >= 9.95) return `${seconds.toFixed(0)}\u00a0s`;
  if (seconds >= 0.9995) return `${Number(seconds.toFixed(2))}\u00a0s`;
  const ms = 1000 * seconds;
  return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)}\u00a0ms`;
}

/** Formats a whole number with separators of thousands. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en');
}
