/** The panel: the latest answers as bars, and the counters of the process. */
import './panel.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { Conversation } from '../model/conversation.ts';
import { element } from '../parts/dom.ts';
import { chart, type Sample } from './chart.ts';
import { formatNumber, formatTime } from './format.ts';
import { kindOf, KINDS } from './kinds.ts';

const MAX_SAMPLES = 50;

const samples: Sample[] = [];
const costs = { spent: 0, saved: 0 };

/** Shows the measurements of each answer from now on in `container`. */
export function startPanel(container: HTMLElement, conversation: Conversation): void {
  conversation.settled.listen(({ metrics }) => {
    if (metrics) addToPanel(container, metrics);
  });
}

function addToPanel(container: HTMLElement, metrics: PerformanceMetrics): void {
  samples.push({ kind: kindOf(metrics), seconds: metrics.total_time });
  if (samples.length > MAX_SAMPLES) samples.shift();
  costs.spent += metrics.cost?.spent ?? 0;
  costs.saved += metrics.cost?.saved ?? 0;
  container.replaceChildren(
    element('h2', {}, 'Latency'),
    element(
      'p',
      { class: 'note' },
      `Total time of the last ${samples.length === 1 ? 'answer' : `${samples.length} answers`}, newest at the right.`,
    ),
    chart(samples),
    legend(),
    element('h2', {}, 'This instance'),
    element('p', { class: 'note' }, 'Since it started, as of the newest answer.'),
    statistics(metrics),
  );
}

/** The colours, and the values of the bars as text. */
function legend(): HTMLElement {
  const rows = Object.entries(KINDS).map(([kind, label]) => {
    const times = samples.filter((each) => each.kind === kind).map(({ seconds }) => seconds);
    const typical = times.length > 0 ? formatTime(median(times)) : '–';
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, element('span', { class: `swatch ${kind}` }), label),
      element('td', {}, String(times.length)),
      element('td', {}, typical),
    );
  });
  const heads = ['Kind', 'Answers', 'Median'].map((head) => element('th', { scope: 'col' }, head));
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

function statistics({
  connection_stats: calls,
  cache,
  connection,
  uptime,
  instance_id: instance,
  cost,
}: PerformanceMetrics): HTMLElement {
  const rows = [
    ['Model calls', formatNumber(calls.total_requests)],
    ['Average model call', formatTime(calls.avg_response_time)],
    [
      'On a reused connection',
      share(calls.connection_reuse_count, calls.total_requests, calls.reuse_percentage),
    ],
    ...(connection ? [['Open connections', formatNumber(connection.open)]] : []),
    ['Answered from the cache', share(cache.hits, cache.hits + cache.misses, cache.hit_percentage)],
    ...(cost ? [['Cost on this page', `${digits(costs.spent)}, ${digits(costs.saved)} saved`]] : []),
    ['Uptime', formatUptime(uptime)],
    ['Instance', instance.slice(0, 8)],
  ];
  return element(
    'dl',
    {},
    ...rows.map(([name = '', value = '']) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, value)),
    ),
  );
}

const digits = (value: number): string => String(Number(value.toPrecision(2)));

function share(part: number, whole: number, percentage: number): string {
  return `${formatNumber(part)} of ${formatNumber(whole)} (${Math.round(percentage)} %)`;
}

function formatUptime(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
