/** Formats the statistics of the performance test for a terminal. */
import { formatTime } from '../../public/measurements/format.ts';
import type { Run } from './measure.ts';
import { MIN_TIMES, type Share, type Statistics, type Summary } from './statistics.ts';

const MISSING = `"-": p95 needs at least ${MIN_TIMES.p95} times, p99 at least ${MIN_TIMES.p99}.`;
const COLUMNS = ['min', 'mean', 'p50', 'p95', 'p99', 'max'] as const;

/** Describes a run in one line. */
export function describePlan({ plan, requests }: Run): string {
  const ways = [
    plan.stream && 'streamed',
    plan.test_cache ? 'without and with the cache' : 'without the cache',
    plan.test_session ? 'in one session' : 'each in a new session',
    plan.concurrency > 1 && `${plan.concurrency} at a time`,
    plan.duration !== null && `for ${plan.duration} s`,
    `${plan.delay} s apart`,
  ];
  return [`${requests.length} requests`, ...ways.filter((way) => way !== false)].join(', ');
}

/** Formats the report of a run. */
export function formatReport(run: Run, statistics: Statistics): string {
  const { cold, warm, cached, uncached } = statistics;
  const times: [string, Summary | null][] = [
    ['Client time', statistics.client_time],
    ['Model time', statistics.model_time],
    ['First token', statistics.time_to_first_token],
    ['Cold start', cold],
    ['Warm, uncached', cold && warm],
  ];
  const measured = times.filter((row): row is [string, Summary] => row[1] !== null);
  const timeRows = measured.map(([label, summary]) => [
    label,
    String(summary.count),
    ...COLUMNS.map((column) => formatOptional(summary[column])),
  ]);
  const tables = [...measured.map(([, summary]) => summary), cached, uncached];
  const isMissing = tables.some((summary) => summary?.p99 === null);
  return [
    `${run.interrupted ? 'Stopped early. ' : ''}${describePlan(run)}; "${shorten(run.plan.question, 60)}" at ${run.url}`,
    ...(timeRows.length > 0 ? [table([['', 'count', ...COLUMNS], ...timeRows])] : []),
    ...(isMissing ? [MISSING] : []),
    table(countRows(run, statistics)),
    ...(cached && uncached ? [compareCached(cached, uncached)] : []),
  ].join('\n\n');
}

function countRows(run: Run, statistics: Statistics): string[][] {
  const { requests, answered, errors } = statistics;
  const failures = Object.entries(errors).map(([kind, count]) => `${count} x ${kind}`);
  const perSecond = `${statistics.requests_per_second.toFixed(2)} in ${run.duration.toFixed(1)} s`;
  return [
    ['Answered', `${answered} of ${requests}`],
    ...(failures.length > 0 ? [['Errors', failures.join(', ')]] : []),
    ['Requests per second', perSecond],
    ['Connection reused', formatShare(statistics.connection_reuse, 'model calls')],
    ['Cache hits', formatShare(statistics.cache_hits, 'requests through the cache')],
  ];
}

/** Compares cached with uncached answers. */
function compareCached(cached: Summary, uncached: Summary): string {
  const rows = COLUMNS.map((column) => [
    column,
    formatOptional(uncached[column]),
    formatOptional(cached[column]),
    describeGain(uncached[column], cached[column]),
  ]);
  const counts = ['count', String(uncached.count), String(cached.count), ''];
  return table([['Client time', 'uncached', 'cached', ''], counts, ...rows]);
}

/** Compares two runs. The ratio is the current value divided by the earlier one. */
export function formatComparison(earlier: Statistics, now: Statistics): string {
  const times = [
    ['Client time', 'client_time'],
    ['Model time', 'model_time'],
    ['First token', 'time_to_first_token'],
    ['Cached', 'cached'],
    ['Uncached', 'uncached'],
    ['Cold start', 'cold'],
  ] as const;
  const columns = ['mean', 'p50', 'p95', 'p99'] as const;
  const rows = times.flatMap(([label, name]) => {
    const [before, after] = [earlier[name], now[name]];
    if (!before || !after) return [];
    const both = columns.filter((column) => before[column] !== null && after[column] !== null);
    return both.map((column) => compareRow(`${label} ${column}`, before[column], after[column], formatTime));
  });
  return table([
    ['Compared', 'earlier', 'now', 'ratio'],
    ...rows,
    compareRow('Requests per second', earlier.requests_per_second, now.requests_per_second, plain),
    compareRow('Connection reused', earlier.connection_reuse?.rate, now.connection_reuse?.rate, percent),
    compareRow('Cache hits', earlier.cache_hits?.rate, now.cache_hits?.rate, percent),
    compareRow('Failed', failed(earlier), failed(now), String),
  ]);
}

const plain = (value: number): string => value.toFixed(2);
const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
const failed = ({ requests, answered }: Statistics): number => requests - answered;

function compareRow(
  label: string,
  before: number | null | undefined,
  after: number | null | undefined,
  format: (value: number) => string,
): string[] {
  const [left, right] = [before, after].map((value) => (typeof value === 'number' ? format(value) : '-'));
  const ratio = before && typeof after === 'number' ? formatFactor(after / before) : '-';
  return [label, left ?? '', right ?? '', ratio];
}

const formatOptional = (time: number | null): string => (time === null ? '-' : formatTime(time));

const formatShare = (share: Share | null, what: string): string =>
  share ? `${(100 * share.rate).toFixed(0)} % (${share.count} of ${share.of} ${what})` : `no ${what}`;

function describeGain(before: number | null, after: number | null): string {
  // A time of 0 was too short to measure.
  if (!before || !after) return '';
  return after <= before
    ? `${formatFactor(before / after)} faster`
    : `${formatFactor(after / before)} slower`;
}

/** Formats a ratio, such as `12x` or `1.25x`; `-` when it is not a finite number. */
export const formatFactor = (factor: number): string =>
  Number.isFinite(factor) ? `${factor.toFixed(factor < 10 ? 2 : 0)}x` : '-';

/** Cuts a text to at most `length` characters. */
export const shorten = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text;

/** Aligns the columns: the first to the left, numbers to the right. */
function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const isText = rows.every((row) => row.length === 2);
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column === 0 || isText ? cell.padEnd(width) : cell.padStart(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
