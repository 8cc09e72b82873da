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

/** Formats a cost, in the currency of the prices in the settings. */
export function formatCost(cost: number): string {
  return cost.toLocaleString('en', { maximumSignificantDigits: 3, maximumFractionDigits: 9 });
}

/** Formats a longer time, such as the age of a process. */
export function formatUptime(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)}\u00a0s`;
  return minutes < 60 ? `${minutes}\u00a0min` : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}
