/** An answer in a few words. It needs no browser. */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { formatTime } from './format.ts';

/**
 * Where an answer came from. `expired`: the cache, because the model did not answer; `replayed`: the stored answer to a
 * request that was sent again.
 */
export type Source = 'model' | 'cache' | 'expired' | 'shared' | 'replayed';

/** The source of an answer. */
export function sourceOf({ from_cache: isAvoided, cache }: PerformanceMetrics): Source {
  if (!isAvoided) return 'model';
  if (cache.result === 'coalesced') return 'shared';
  if (cache.result === 'stale') return 'expired';
  return cache.result === 'hit' ? 'cache' : 'replayed';
}

/** The source of an answer and its total time, for example "Cached, 24 ms". */
export function summaryOf(metrics: PerformanceMetrics): string {
  const unsaved = metrics.history_saved ? [] : ['not saved'];
  return [headOf(metrics), formatTime(metrics.total_time), ...unsaved].join(', ');
}

function headOf(metrics: PerformanceMetrics): string {
  const source = sourceOf(metrics);
  if (source === 'cache' || source === 'expired') return 'Cached';
  if (source === 'shared') return 'Shared';
  if (source === 'replayed') return 'Stored';
  if (metrics.cold_start) return 'Cold start';
  return metrics.connection_reused ? 'Model' : 'New connection';
}
