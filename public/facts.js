/** Says in a few words what an answer's metrics mean. */

/** @import { Metrics } from './api.js' */
/** @typedef {'cached' | 'reused' | 'new' | 'cold'} Kind */

/** How an answer came about, from the quickest kind to the slowest. @type {Record<Kind, string>} */
export const KINDS = {
  cached: 'Cached',
  reused: 'Reused connection',
  new: 'New connection',
  cold: 'Cold start',
};

/**
 * @param {Metrics} metrics
 * @returns {Kind}
 */
export function kindOf(metrics) {
  if (metrics.from_cache) return 'cached';
  if (metrics.cold_start) return 'cold';
  return metrics.connection_reused ? 'reused' : 'new';
}

/** The facts of one answer, most telling first. @param {Metrics} metrics */
export function factsOf(metrics) {
  const { cache, connection, timings, tokens } = metrics;
  const protocol = { h2: ' (HTTP/2)', h1: ' (HTTP/1.1)' }[connection?.protocol ?? ''] ?? '';
  const first = timings?.time_to_first_token;
  return [
    askedOrCached(metrics),
    !metrics.from_cache && `${metrics.connection_reused ? 'reused' : 'new'} connection${protocol}`,
    cache?.result === 'error' && 'cache not available',
    (connection?.attempts ?? 1) > 1 && `${connection?.attempts} attempts`,
    metrics.cold_start !== undefined && (metrics.cold_start ? 'cold start' : 'warm'),
    first !== undefined && `first token ${formatTime(first)}`,
    `total ${formatTime(metrics.total_time)}`,
    tokens && tokensOf(tokens),
    metrics.history_available === false && 'answered without the earlier conversation',
    metrics.history_saved === false && 'not saved in the conversation',
  ].filter((fact) => typeof fact === 'string');
}

/** @param {Metrics} metrics */
function askedOrCached({ from_cache: fromCache, cache }) {
  if (!fromCache) return 'Asked the model';
  if (cache?.result === 'coalesced') return 'Shared with the same question of another';
  return `Cached${cache?.tier ? ` (${cache.tier})` : ''}`;
}

/** @param {NonNullable<Metrics['tokens']>} tokens */
function tokensOf({ prompt, completion, saved }) {
  if (saved > 0) return `${formatNumber(saved)} tokens saved`;
  return prompt + completion > 0 && `${formatNumber(prompt)} + ${formatNumber(completion)} tokens`;
}

/** @param {number} seconds */
export function formatTime(seconds) {
  if (seconds >= 9.95) return `${seconds.toFixed(0)} s`;
  if (seconds >= 0.9995) return `${seconds.toFixed(seconds < 2 ? 2 : 1)} s`;
  const ms = 1000 * seconds;
  return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

/** @param {number} value */
export function formatNumber(value) {
  return value.toLocaleString('en');
}
