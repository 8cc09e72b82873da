/** Formats an answer's metrics. */

/** @import { PerformanceMetrics } from '../src/lib/contract/metrics.ts' */
/** @typedef {'cached' | 'reused' | 'new' | 'cold'} Kind */

/** The kinds of answers, fastest first. @type {Record<Kind, string>} */
export const KINDS = {
  cached: 'Cached',
  reused: 'Reused connection',
  new: 'New connection',
  cold: 'Cold start',
};

/**
 * @param {PerformanceMetrics} metrics
 * @returns {Kind}
 */
export function kindOf(metrics) {
  if (metrics.from_cache) return 'cached';
  if (metrics.cold_start) return 'cold';
  return metrics.connection_reused ? 'reused' : 'new';
}

/** The facts of an answer, the most important first. @param {PerformanceMetrics} metrics */
export function factsOf(metrics) {
  const { cache, connection, timings } = metrics;
  const protocol = connection?.protocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1';
  return [
    sourceOf(metrics),
    connection && `${metrics.connection_reused ? 'reused' : 'new'} connection (${protocol})`,
    connection && connection.attempts > 1 && `${connection.attempts} attempts`,
    cache.result === 'error' && 'cache not available',
    metrics.cold_start ? 'cold start' : 'warm',
    `first token ${formatTime(timings.time_to_first_token)}`,
    `total ${formatTime(metrics.total_time)}`,
    tokensOf(metrics),
    !metrics.history_available && 'answered without the earlier conversation',
    !metrics.history_saved && 'not saved in the conversation',
  ].filter((fact) => typeof fact === 'string');
}

/** @param {PerformanceMetrics} metrics */
function sourceOf({ from_cache: fromCache, cache }) {
  if (!fromCache) return 'Asked the model';
  if (cache.result === 'coalesced') return 'Shared the model call of the same question';
  return `Cached${cache.tier ? ` (${cache.tier})` : ''}`;
}

/** @param {PerformanceMetrics} metrics */
function tokensOf({ tokens: { prompt, completion, reasoning, saved } }) {
  if (saved > 0) return `${formatNumber(saved)} tokens saved`;
  const thought = reasoning > 0 ? `, ${formatNumber(reasoning)} of them reasoning` : '';
  return (
    prompt + completion > 0 && `${formatNumber(prompt)} tokens in, ${formatNumber(completion)} out${thought}`
  );
}

/** Formats a time with a non-breaking space. @param {number} seconds */
export function formatTime(seconds) {
  if (seconds >= 9.95) return `${seconds.toFixed(0)}\u00a0s`;
  if (seconds >= 0.9995) return `${Number(seconds.toFixed(2))}\u00a0s`;
  const ms = 1000 * seconds;
  return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)}\u00a0ms`;
}

/** @param {number} value */
export function formatNumber(value) {
  return value.toLocaleString('en');
}
