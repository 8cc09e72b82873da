/** The facts of an answer in plain words. It needs no browser. */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { formatCost, formatNumber, formatTime, formatUptime } from './format.ts';
import { sourceOf } from './summary.ts';

/** The name of a fact and its value. */
export type Fact = readonly [name: string, value: string];

/** The facts of an answer beside its times, the most important first. */
export function factsOf(metrics: PerformanceMetrics): Fact[] {
  const { cost, model } = metrics;
  const facts: (Fact | false)[] = [
    ['Source', sourceText(metrics)],
    model !== null && ['Model', model],
    ...connectionFacts(metrics),
    ...tokenFacts(metrics),
    cost !== undefined && ['Cost', costText(cost)],
    ['Chat history', historyText(metrics)],
    [
      'Process',
      metrics.cold_start ? 'First question since its start' : `Up for ${formatUptime(metrics.uptime)}`,
    ],
    ['Request ID', metrics.invocation],
  ];
  return facts.filter((fact) => fact !== false);
}

const TIERS: Record<string, string> = {
  memory: 'in memory',
  sqlite: 'in a file',
  redis: 'in Redis',
};

/** Why there was no cached answer. The server may give others. */
const REASONS: Record<string, string> = {
  expired: 'the cached answer had expired',
  model_changed: 'the cached answer was of another model',
  no_cache: 'asked without the cache',
};

function sourceText(metrics: PerformanceMetrics): string {
  const { result, tier, reason } = metrics.cache;
  switch (sourceOf(metrics)) {
    case 'expired':
      return 'Cache, an expired answer, because the model did not answer';
    case 'cache':
      return tier === null ? 'Cache' : `Cache, ${TIERS[tier] ?? tier}`;
    case 'shared':
      return 'Model call of an identical question at the same time';
    case 'replayed':
      return 'Stored answer to the same request';
    default:
      if (result === 'error') return 'Model, cache not available';
      return `Model, ${REASONS[reason ?? ''] ?? (result === 'bypass' ? 'cache not searched' : 'not cached')}`;
  }
}

function connectionFacts({ connection, connection_reused: isReused }: PerformanceMetrics): Fact[] {
  if (!connection) return [];
  const { protocol, requests_on_connection: requests, connect_time: time, attempts, endpoint } = connection;
  const name = protocol === null ? '' : protocol === 'h2' ? ', HTTP/2' : ', HTTP/1.1';
  const tls = connection.tls_resumed ? 'TLS session resumed' : 'full TLS handshake';
  const established = isReused ? `Reused${name}` : `New${name}, ${formatTime(time)}, ${tls}`;
  const facts: (Fact | false)[] = [
    ['Connection', requests > 1 ? `${established}, request ${formatNumber(requests)} on it` : established],
    attempts > 1 && ['Attempts', formatNumber(attempts)],
    endpoint > 0 && ['Endpoint', `Fallback ${formatNumber(endpoint)}`],
  ];
  return facts.filter((fact) => fact !== false);
}

function tokenFacts({ tokens }: PerformanceMetrics): Fact[] {
  const { prompt, completion, cached, reasoning, saved } = tokens;
  const facts: (Fact | false)[] = [
    prompt > 0 && ['Prompt tokens', withPart(prompt, cached, 'cached by the model')],
    completion > 0 && ['Completion tokens', withPart(completion, reasoning, 'reasoning')],
    saved > 0 && ['Tokens saved', formatNumber(saved)],
  ];
  return facts.filter((fact) => fact !== false);
}

const withPart = (whole: number, part: number, name: string): string =>
  part > 0 ? `${formatNumber(whole)}, of these ${formatNumber(part)} ${name}` : formatNumber(whole);

function costText({ spent, saved }: NonNullable<PerformanceMetrics['cost']>): string {
  const parts = [spent > 0 && `${formatCost(spent)} spent`, saved > 0 && `${formatCost(saved)} saved`];
  return parts.filter((part) => part !== false).join(', ') || 'None';
}

function historyText({ history_available: isRead, history_saved: isSaved }: PerformanceMetrics): string {
  const saved = isSaved ? 'Saved' : 'Not saved, so the next question will not include this answer';
  return isRead ? saved : `${saved}. Answered without the earlier conversation, which could not be read`;
}
