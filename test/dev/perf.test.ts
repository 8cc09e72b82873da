/** npm run perf: options, measurements, output files and charts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncProperty, assert, constantFrom, double, array, boolean, record, option } from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import type { Results } from '../../dev/perf/results.ts';
import { drawChart } from '../../dev/perf/chart.ts';
import type { Run, Sample } from '../../dev/perf/measure.ts';
import { readOptions } from '../../dev/perf/options.ts';
import { formatComparison, formatReport } from '../../dev/perf/report.ts';
import { computeStatistics, summarize } from '../../dev/perf/statistics.ts';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import { eventually, startApp, type TestApp } from '../support/app.ts';

let folder: string;
let app: TestApp;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ask-perf-'));
  app = await startApp();
});
beforeEach(() => app.emulator.reset());
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string): string => join(folder, name);
const results = (name: string): Results => JSON.parse(readFileSync(file(name), 'utf8')) as Results;

interface Command {
  child: ChildProcess;
  output: () => string;
  code: Promise<number | null>;
}

/** Starts the command against the app, with its files in the test folder. */
function start(...args: string[]): Command {
  const target = args.includes('--url') ? [] : ['--url', `${app.url}/ask`];
  const child = spawn(process.execPath, [join(root, 'dev/run.js'), 'perf', ...target, ...args], {
    cwd: folder,
    env: systemEnvironment(),
  });
  let output = '';
  const read = (data: Buffer): void => void (output += data.toString());
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  return {
    child,
    output: () => output,
    code: once(child, 'close').then(([code]) => code as number | null),
  };
}

async function perf(...args: string[]): Promise<{ code: number | null; output: string }> {
  const command = start(...args);
  return { code: await command.code, output: command.output() };
}

/** Width and height of a PNG. */
function sizeOfPng(png: Uint8Array): [number, number] {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

describe('the command line', () => {
  it('has defaults', () => {
    expect(readOptions([])).toEqual({
      plan: {
        requests: 5,
        duration: null,
        delay: 1,
        concurrency: 1,
        question: 'What is the capital of France?',
        test_cache: false,
        test_session: false,
        stream: false,
      },
      url: null,
      key: null,
      output: 'performance_results.png',
      json: null,
      compare: null,
      from: null,
    });
  });

  it.each([
    [['--requests', '0'], '--requests must be a whole number from 1'],
    [['--requests', '2.5'], '--requests must be a whole number'],
    [['--requests', '1e3'], '--requests must be a whole number'],
    [['--delay', '-1'], 'delay'],
    [['--delay', 'soon'], '--delay must be a number'],
    [['--duration', '0'], '--duration must be a number'],
    [['--concurrency', '5000'], 'from 1 to 1000'],
    [['--requests', '5', '--duration', '5'], 'not both'],
    [['--question', ' '], '--question must not be empty'],
    [['--url', 'localhost:3001'], '--url must be an address like http'],
    [['--fast'], "Unknown option '--fast'"],
    [['10'], 'Unexpected argument'],
  ])('refuses %j', (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });

  it('reports errors with exit code 2 and a hint, and prints the options for --help', async () => {
    const wrong = await perf('--requests', 'many');
    expect(wrong.code).toBe(2);
    expect(wrong.output).toContain('not "many"');
    expect(wrong.output).toContain('--help');
    const help = await perf('--help');
    expect(help.code).toBe(0);
    for (const name of ['requests', 'test-cache', 'compare', 'output'])
      expect(help.output).toContain(`--${name}`);
  });
});

describe('against the app', () => {
  it('asks without and with the cache, prints both, and writes JSON and a chart', async () => {
    const args = ['--requests', '3', '--delay', '0', '--test-cache', '--test-session', '--stream'];
    const { code, output } = await perf(...args, '--json', 'a.json', '--output', 'deep/er/a.png');
    expect(code).toBe(0);
    expect(output).toMatch(/uncached +cached/);
    expect(output).toMatch(/Cache hits +100 % \(3 of 3/);
    const { run, statistics } = results('a.json');
    expect(run.requests.map(({ cache }) => cache)).toEqual([
      'no-cache',
      'cached',
      'no-cache',
      'cached',
      'no-cache',
      'cached',
    ]);
    expect(run.requests.map(({ kind }) => kind === 'cached')).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
    ]);
    expect(app.emulator.requests.length).toBe(3);
    expect(statistics).toMatchObject({
      requests: 6,
      answered: 6,
      errors: {},
      cache_hits: { count: 3, of: 3 },
    });
    expect(statistics.time_to_first_token?.count).toBe(6);
    expect(statistics.cached?.count).toBe(3);
    expect(sizeOfPng(readFileSync(file('deep/er/a.png')))).toEqual([1800, 1350]);

    const redrawn = await perf('--from', 'a.json', '--compare', 'a.json', '--output', 'b.png');
    expect(redrawn.code).toBe(0);
    expect(redrawn.output).toMatch(/Client time p50 .* 1\.00x/);
    expect(readFileSync(file('b.png')).equals(readFileSync(file('deep/er/a.png')))).toBe(true);
    expect(app.emulator.requests.length).toBe(3);
  });

  it('bypasses the cache without --test-cache, and writes the chart to the current folder', async () => {
    const { code, output } = await perf('--requests', '4', '--delay', '0', '--concurrency', '2');
    expect(code).toBe(0);
    expect(app.emulator.requests.length).toBe(4);
    expect(output).toContain('no requests through the cache');
    expect(existsSync(file('performance_results.png'))).toBe(true);
  });

  it('counts failures by kind, draws them, and exits with 1', async () => {
    app.emulator.failNext({ kind: 'content_filter' }, { kind: 'content_filter' });
    const { code, output } = await perf(
      '--requests',
      '3',
      '--delay',
      '0',
      '--json',
      'c.json',
      '--output',
      'c.png',
    );
    expect(code).toBe(1);
    expect(output).toContain('2 x 422 content_filtered');
    expect(results('c.json').statistics).toMatchObject({ requests: 3, answered: 1 });
    sizeOfPng(readFileSync(file('c.png')));
  });

  it('reports the error when no server answers', async () => {
    const { code, output } = await perf(
      '--url',
      'http://127.0.0.1:9/ask',
      '--requests',
      '1',
      '--output',
      'd.png',
    );
    expect(code).toBe(1);
    expect(output).toMatch(/1 x E\w+/);
  });

  it('reports the results so far on Ctrl-C', async () => {
    const args = ['--requests', '100000', '--delay', '0.01', '--json', 'e.json', '--output', 'e.png'];
    const command = start(...args);
    await eventually(() => app.emulator.requests.length >= 5);
    command.child.kill('SIGINT');
    expect(await command.code).toBe(130);
    expect(command.output()).toContain('Stopped early');
    const { run, statistics } = results('e.json');
    expect(run.interrupted).toBe(true);
    expect(statistics.answered).toBeGreaterThanOrEqual(3);
    sizeOfPng(readFileSync(file('e.png')));
  });

  it('refuses an invalid --compare file before it sends a request', async () => {
    const { code, output } = await perf('--compare', join(root, 'package.json'));
    expect(code).toBe(2);
    expect(output).toContain('was not written by --json');
    expect(app.emulator.requests).toEqual([]);
  });
});

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
  plan: readOptions([])?.plan ?? expect.unreachable(),
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
    expect(summarize([0.2, null])).toMatchObject({ count: 1, min: 0.2, p50: 0.2, p99: 0.2 });
    expect(summarize([null])).toBeNull();
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
      sizeOfPng(drawChart({ run, statistics }));
    }),
    { numRuns: 15 },
  );
});

it('times that differ by a billionth can be drawn', () => {
  const run = runOf([sample(1), sample(1 + 1e-9)]);
  sizeOfPng(drawChart({ run, statistics: computeStatistics(run) }));
});

it('the chart contains text in the project’s fonts: another question gives another image', () => {
  const run = runOf([sample(0.3), sample(0.4)]);
  const statistics = computeStatistics(run);
  const other = { ...run, plan: { ...run.plan, question: 'And of Spain?' } };
  const [one, same, another] = [run, run, other].map((each) =>
    Buffer.from(drawChart({ run: each, statistics })),
  );
  expect(one?.equals(same ?? Buffer.alloc(0))).toBe(true);
  expect(one?.equals(another ?? Buffer.alloc(0))).toBe(false);
});
