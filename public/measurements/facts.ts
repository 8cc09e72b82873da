/** The line of facts under an answer. */
import './facts.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { Turn } from '../model/turn.ts';
import { element } from '../parts/dom.ts';
import { formatNumber, formatTime } from './format.ts';
import { kindOf } from './kinds.ts';

/** Creates the facts of an answered turn; undefined when they are not known. */
export function showFacts({ metrics }: Turn): HTMLElement | undefined {
  if (!metrics) return undefined;
  const facts = factsOf(metrics).map((fact) => element('li', {}, fact));
  return element(
    'ul',
    { class: `facts ${kindOf(metrics)}`, 'aria-label': 'Measurements of this answer' },
    ...facts,
  );
}

/** The facts of an answer, the most important first. */
function factsOf(metrics: PerformanceMetrics): string[] {
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

function sourceOf({ from_cache: fromCache, cache }: PerformanceMetrics): string {
  if (!fromCache) return 'Asked the model';
  if (cache.result === 'coalesced') return 'Shared the model call of the same question';
  return `Cached${cache.tier ? ` (${cache.tier})` : ''}`;
}

function tokensOf({ tokens: { prompt, completion, reasoning, saved } }: PerformanceMetrics): string | false {
  if (saved > 0) return `${formatNumber(saved)} tokens saved`;
  const thought = reasoning > 0 ? `, ${formatNumber(reasoning)} of them reasoning` : '';
  return (
    prompt + completion > 0 && `${formatNumber(prompt)} tokens in, ${formatNumber(completion)} out${thought}`
  );
}
