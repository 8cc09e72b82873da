/** The tables of the panel: the kinds of answers, the open conversation, and the process. */
import type { LimitName, PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { Turn } from '../model/turn.ts';
import { element } from '../parts/dom.ts';
import { formatCost, formatNumber, formatTime, formatUptime } from './format.ts';
import { kindOf, KINDS } from './kinds.ts';

/** The colours, and the values of the bars as text. */
export function legend(answers: readonly PerformanceMetrics[]): HTMLElement {
  const rows = Object.entries(KINDS).map(([kind, label]) => {
    const times = answers.filter((each) => kindOf(each) === kind).map(({ total_time: time }) => time);
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, element('span', { class: `swatch ${kind}` }), label),
      element('td', {}, String(times.length)),
      element('td', {}, times.length > 0 ? formatTime(median(times)) : '–'),
    );
  });
  const heads = ['Kind', 'Count', 'Median'].map((head) => element('th', { scope: 'col' }, head));
  return element(
    'table',
    { class: 'legend' },
    element('thead', {}, element('tr', {}, ...heads)),
    element('tbody', {}, ...rows),
  );
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

/** The sums of the open conversation; undefined when none of its answers was measured. */
export function conversationSums(turns: readonly Turn[]): HTMLElement | undefined {
  const answered = turns.filter(({ state }) => state === 'answered');
  const known = answered.map(({ metrics }) => metrics).filter((metrics) => metrics !== undefined);
  if (known.length === 0) return undefined;
  const sum = (valueOf: (metrics: PerformanceMetrics) => number) =>
    known.reduce((total, metrics) => total + valueOf(metrics), 0);
  const saved = known.filter(({ from_cache: isAvoided }) => isAvoided).length;
  return list([
    // Those of another tab, or of an earlier visit, are not known here.
    known.length < answered.length && ['Answers measured here', `${known.length} of ${answered.length}`],
    ['Answers without a model call', `${saved} of ${known.length}`],
    ['Tokens used', formatNumber(sum(({ tokens }) => tokens.prompt + tokens.completion))],
    ['Tokens saved', formatNumber(sum(({ tokens }) => tokens.saved))],
    ...(known.some(({ cost }) => cost !== undefined)
      ? ([
          ['Cost', formatCost(sum(({ cost }) => cost?.spent ?? 0))],
          ['Cost saved', formatCost(sum(({ cost }) => cost?.saved ?? 0))],
        ] as const)
      : []),
  ]);
}

const LIMITS: Record<LimitName, string> = {
  caller_minute: 'Your questions, this minute',
  caller_day: 'Yours, this day',
  caller_month: 'Yours, this month',
  app_day: 'This service, this day',
  app_month: 'This service, this month',
};

/** What is left of the budgets, as of the newest answer that says so; undefined when none does. */
export function budgetLeft(answers: readonly PerformanceMetrics[]): HTMLElement | undefined {
  const newest = answers.findLast(({ budget }) => budget !== undefined)?.budget;
  if (!newest) return undefined;
  const rows = Object.entries(newest).flatMap(([name, each]) => {
    const label = LIMITS[name as LimitName] as string | undefined;
    const isOver = each === undefined || Date.parse(each.renews_at) <= Date.now();
    if (label === undefined || isOver) return [];
    return [[label, `${formatCost(each.remaining)} of ${formatCost(each.limit)}`] as const];
  });
  return rows.length > 0 ? list(rows) : undefined;
}

/** The counters of the process that gave an answer. */
export function processCounters({
  connection_stats: calls,
  cache,
  connection,
  uptime,
  instance_id: instance,
}: PerformanceMetrics): HTMLElement {
  return list([
    ['Model calls', formatNumber(calls.total_requests)],
    ['Average model call', formatTime(calls.avg_response_time)],
    [
      'On a reused connection',
      share(calls.connection_reuse_count, calls.total_requests, calls.reuse_percentage),
    ],
    connection !== null && ['Open connections', formatNumber(connection.open)],
    ['Answered from the cache', share(cache.hits, cache.hits + cache.misses, cache.hit_percentage)],
    ['Uptime', formatUptime(uptime)],
    ['Instance', instance.slice(0, 8)],
  ]);
}

function list(rows: readonly (readonly [name: string, value: string] | false)[]): HTMLElement {
  const lines = rows
    .filter((row) => row !== false)
    .map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value)));
  return element('dl', {}, ...lines);
}

function share(part: number, whole: number, percentage: number): string {
  return `${formatNumber(part)} of ${formatNumber(whole)} (${Math.round(percentage)}\u00a0%)`;
}
