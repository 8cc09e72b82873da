/** The kinds of answers. Used by the page and by `npm run perf`, so it needs no browser. */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';

export type Kind = 'cached' | 'reused' | 'new' | 'cold';

/** Their names, fastest first. */
export const KINDS: Record<Kind, string> = {
  cached: 'Cached',
  reused: 'Reused connection',
  new: 'New connection',
  cold: 'Cold start',
};

/** The kind of an answer. */
export function kindOf(metrics: PerformanceMetrics): Kind {
  if (metrics.from_cache) return 'cached';
  if (metrics.cold_start) return 'cold';
  return metrics.connection_reused ? 'reused' : 'new';
}
