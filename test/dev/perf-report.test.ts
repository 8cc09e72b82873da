/** npm run perf: statistics, report, progress and chart. */
import { asyncProperty, assert, constantFrom, double, array, boolean, record, option } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawChart } from '../../dev/perf/chart.ts';
import { cachePanel, earlierPanel } from '../../dev/perf/chart-bars.ts';
import type { Panel } from '../../dev/chart/render.ts';
import { requestsPanel } from '../../dev/perf/chart-requests.ts';
import type { Run, Sample } from '../../dev/perf/measure.ts';
import { readOptions } from '../../dev/perf/options.ts';
import { showProgress } from '../../dev/perf/progress.ts';
import { formatComparison, formatReport } from '../../dev/perf/report.ts';
import type { Results } from '../../dev/perf/results.ts';
import { computeStatistics, summarize } from '../../dev/perf/statistics.ts';
import { scaled } from '../support/effort.ts';
import { sizeOfPng } from '../support/perf-command.ts';

const sample = (client_time: number, more: Partial<Sample> = {}): Sample => ({
  started: 0,
  cache: 'no-store',
  client_time,
  kind: 'reused',
  error: null,
  model_time: client_time / 2,
  time_to_first_token: null,
  connection_reused: true,
  cold_start: false,
  ...more,
});

const runOf = (requests: Sample[]): Run => ({
  url: 'http://localhost:3001/ask',
  started_at: '2026-11-24T00:00:00.000Z',
  plan: readOptions([]).plan,
  interrupted: false,
  duration: 10,
  requests,
});

describe('statistics', () => {
  it('are correct for known times', () => {
    const times = Array.from({ length: 100 }, (_, index) => (100 - index) / 1000);
    expect(summarize(times)).toEqual({
      count: 100,
      min: 0.001,
      mean: expect.closeTo(0.0505, 9) as number,
      p50: 0.05,
      p95: 0.095,
      p99: 0.099,
      max: 0.1,
    });
    expect(summarize([0.2, null])).toMatchObject({ count: 1, min: 0.2, p50: 0.2, max: 0.2 });
    expect(summarize([null])).toBeNull();
  });

  it.each([
    [8, null, null],
    [19, null, null],
    [20, 0.019, null],
    [99, 0.095, null],
    [100, 0.095, 0.099],
  ])('of %i times have only the percentiles that so many times allow', (count, p95, p99) => {
    const times = Array.from({ length: count }, (_, index) => (index + 1) / 1000);
    expect(summarize(times)).toMatchObject({ p95, p99 });
  });

  it('distinguish cold from warm and reused from new, and cover only answered requests', () => {
    const statistics = computeStatistics(
      runOf([
        sample(0.9, { kind: 'cold', connection_reused: false, cold_start: true }),
        sample(0.5, { kind: 'new', connection_reused: false }),
        sample(0.3),
        sample(0.01, { kind: 'cached', cache: 'cached', model_time: null, connection_reused: false }),
        sample(0.1, { kind: null, error: '503 busy', model_time: null }),
      ]),
    );
    expect(statistics).toMatchObject({
      requests: 5,
      answered: 4,
      errors: { '503 busy': 1 },
      requests_per_second: 0.5,
      cold: { count: 1, p50: 0.9 },
      warm: { count: 2, max: 0.5 },
      connection_reuse: { count: 1, of: 3 },
      cache_hits: { count: 1, of: 1, rate: 1 },
      model_time: { count: 3 },
    });
  });
});

const runWith = (count: number): Run =>
  runOf(Array.from({ length: count }, (_, index) => sample(0.3 + index / 1000)));
const reportOf = (count: number): string => formatReport(runWith(count), computeStatistics(runWith(count)));
const compare = (before: number, now: number): string =>
  formatComparison(computeStatistics(runWith(before)), computeStatistics(runWith(now)));

describe('the report', () => {
  it('shows no percentiles of a few requests, and says once why', () => {
    const report = reportOf(8);
    expect(report).toMatch(/Client time +8 .* - +- +307/);
    expect(report.match(/p95 needs at least 20 times, p99 at least 100/g)).toHaveLength(1);
    expect(reportOf(100)).not.toContain('needs at least');
  });

  it('compares only percentiles that both runs have', () => {
    expect(compare(8, 200)).toContain('Client time p50');
    expect(compare(8, 200)).not.toMatch(/p95|p99/);
    expect(compare(200, 30)).toContain('Client time p95');
    expect(compare(200, 30)).not.toContain('p99');
    expect(compare(100, 100)).toContain('Client time p99');
  });
});

/** The lines of progress that a test with these results writes. `end` is the fraction at its end. */
function progressOf(plan: string[], samples: Sample[], end: number): string[] {
  const lines: string[] = [];
  const output = { isTTY: false, columns: 80, write: (line: string) => lines.push(line) > 0 };
  const progress = showProgress(output, readOptions(plan).plan);
  for (const [index, each] of samples.entries()) progress.show(each, (end * (index + 1)) / samples.length);
  progress.end();
  return lines;
}

describe('progress without a terminal', () => {
  const failure = sample(0.1, { kind: null, error: '503 busy' });

  it('counts the requests of both series in a few lines', () => {
    const pairs = [sample(0.3, { cache: 'no-cache' }), sample(0.01, { cache: 'cached' })];
    const samples = Array.from({ length: 499 }, () => pairs).flat();
    const last = [
      { ...failure, cache: 'no-cache' as const },
      { ...failure, cache: 'cached' as const },
    ];
    const lines = progressOf(['--test-cache', '--requests', '500'], [...samples, ...last], 1);
    expect(lines.length).toBeLessThanOrEqual(21);
    expect(lines.at(-1)).toBe(
      '100 %  1000 of 1000 requests: 998 answered, 2 failed; 500 without the cache, 500 with it\n',
    );
  });

  it('ends with the count of all requests when the test ends between two lines', () => {
    const lines = progressOf(
      ['--duration', '60'],
      [...Array.from({ length: 30 }, () => sample(0.3)), failure],
      0.98,
    );
    expect(lines.at(-1)).toBe(' 98 %  31 requests: 30 answered, 1 failed\n');
  });
});

it('any measurements give a report and a chart without invalid numbers', async () => {
  const samples = array(
    record({
      started: double({ min: 0, max: 100, noNaN: true }),
      cache: constantFrom('no-store', 'no-cache', 'cached'),
      client_time: double({ min: 0, max: 300, noNaN: true }),
      kind: constantFrom('cached', 'reused', 'new', 'cold', null),
      model_time: option(double({ min: 0, max: 300, noNaN: true })),
      time_to_first_token: option(double({ min: 0, max: 300, noNaN: true })),
      connection_reused: boolean(),
      cold_start: boolean(),
    }),
    { minLength: 1, maxLength: 80 },
  );
  await assert(
    asyncProperty(samples, async (drawn) => {
      const run = runOf(drawn.map((one) => ({ ...one, error: one.kind ? null : 'ECONNRESET' })));
      const statistics = computeStatistics(run);
      expect(formatReport(run, statistics) + formatComparison(statistics, statistics)).not.toMatch(
        /NaN|undefined|null|Infinity/,
      );
      sizeOfPng(drawChart({ run, statistics }, { run, statistics, name: 'before.json' }));
    }),
    { numRuns: scaled(15, 4) },
  );
});

const resultsOf = (requests: Sample[]): Results => {
  const run = runOf(requests);
  return { run, statistics: computeStatistics(run) };
};
const cached = (time: number): Sample => sample(time, { kind: 'cached', cache: 'cached', model_time: null });

/** The axis of the times, if the panel has bars. */
function axisOfBars(panel: Panel | null): object | null {
  const hasBars = panel?.series.some((series) => 'type' in series && series.type === 'bar');
  if (!panel || !hasBars) return null;
  return 'data' in panel.yAxis ? panel.xAxis : panel.yAxis;
}

describe('bars', () => {
  it('start at 0 on a linear axis, also where the times differ widely', () => {
    const alike = resultsOf([sample(0.3), sample(0.5)]);
    const apart = resultsOf([sample(0.5), cached(0.01)]);
    const linear = { type: 'value', min: 0 };
    expect(axisOfBars(requestsPanel(alike.run, alike.statistics))).toMatchObject(linear);
    expect(axisOfBars(requestsPanel(apart.run, apart.statistics))).toBeNull();
    expect(axisOfBars(cachePanel(apart.statistics))).toMatchObject(linear);
    expect(axisOfBars(earlierPanel(apart.statistics, apart.statistics))).toMatchObject(linear);
  });
});

describe('an earlier run', () => {
  it('is drawn beside the current one', () => {
    const now = resultsOf([sample(0.3), sample(0.4)]);
    const earlier = (time: number) => ({ ...resultsOf([sample(time), sample(0.9)]), name: 'before.json' });
    const [alone, beside, besideAnother] = [null, earlier(0.6), earlier(0.7)].map((each) =>
      Buffer.from(drawChart(now, each)).toString('base64'),
    );
    expect(new Set([alone, beside, besideAnother]).size).toBe(3);
  });

  it('is compared by its uncached answers when only it used the cache', () => {
    const now = resultsOf([sample(0.3)]);
    const earlier = resultsOf([sample(0.4), cached(0.01)]);
    expect(earlierPanel(earlier.statistics, now.statistics)?.yAxis).toMatchObject({
      data: ['uncached, median', 'model, median'],
    });
  });
});

it('times that differ by a billionth can be drawn', () => {
  const run = runOf([sample(1), sample(1 + 1e-9)]);
  sizeOfPng(drawChart({ run, statistics: computeStatistics(run) }, null));
});

it('the chart contains text in the project’s fonts: another question gives another image', () => {
  const run = runOf([sample(0.3), sample(0.4)]);
  const statistics = computeStatistics(run);
  const other = { ...run, plan: { ...run.plan, question: 'And of Spain?' } };
  const [one, same, another] = [run, run, other].map((each) =>
    Buffer.from(drawChart({ run: each, statistics }, null)),
  );
  expect(one?.equals(same ?? Buffer.alloc(0))).toBe(true);
  expect(one?.equals(another ?? Buffer.alloc(0))).toBe(false);
});
