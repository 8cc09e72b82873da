/** npm run perf against the app: options, measurements and output files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Child } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { localPort } from '../../dev/stack/settings.ts';
import { readOptions } from '../../dev/perf/options.ts';
import { eventually } from '../support/app.ts';
import { createPerfFolder, sizeOfPng } from '../support/perf-command.ts';
import { useApp } from '../support/fixture.ts';

const folder = createPerfFolder();
const { file, results } = folder;
const app = useApp();
afterAll(() => folder.remove());

/** Starts the command against the app. */
const start = (...args: string[]): Child => folder.start('--url', `${app.url}/ask`, ...args);
const perf = (...args: string[]) => folder.run('--url', `${app.url}/ask`, ...args);

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
      url: 'http://localhost:3001/ask',
      port: 3001,
      key: null,
      output: 'performance_results.png',
      json: null,
      compare: null,
      from: null,
    });
  });

  it('takes the port of the local app from --port, from PORT, or from local.settings.json', () => {
    const settings = mkdtempSync(join(tmpdir(), 'ask-settings-'));
    expect(localPort(settings)).toBe('3001');
    writeFileSync(join(settings, 'local.settings.json'), '{"Host": {"LocalHttpPort": 7071}}');
    expect(localPort(settings)).toBe('7071');
    rmSync(settings, { recursive: true });
    vi.stubEnv('PORT', '4001');
    expect(readOptions([])).toMatchObject({ url: 'http://localhost:4001/ask', port: 4001 });
    expect(readOptions(['--port', '4002'])).toMatchObject({ url: 'http://localhost:4002/ask', port: 4002 });
    expect(readOptions(['--url', 'http://example.com'])).toMatchObject({
      url: 'http://example.com/ask',
      port: null,
    });
    vi.unstubAllEnvs();
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
    [['--port', '0'], '--port must be a whole number from 1 to 65535'],
    [['--port', '3002', '--url', 'http://localhost:3001/ask'], 'Choose --port or --url, not both'],
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
  it(
    'asks without and with the cache, prints both, and writes JSON and a chart',
    { tags: ['long'] },
    async () => {
      const args = ['--requests', '3', '--delay', '0', '--test-cache', '--test-session', '--stream'];
      const { code, output } = await perf(...args, '--json', 'a.json', '--output', 'deep/er/a.png');
      expect(code).toBe(0);
      expect(output).toMatch(/uncached +cached/);
      expect(output).toMatch(/Cache hits +100 % \(3 of 3/);
      expect(output).toContain('6 of 6 requests: 6 answered, 0 failed; 3 without the cache, 3 with it');
      expect(output).not.toMatch(/\d asked/);
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
      // Cached and uncached answers are never summarized together.
      expect(statistics.time_to_first_token?.count).toBe(3);
      expect(statistics.client_time).toBeNull();
      expect(statistics.cached?.count).toBe(3);
      expect(sizeOfPng(readFileSync(file('deep/er/a.png')))).toEqual([1800, 1350]);

      const chart = readFileSync(file('deep/er/a.png'));
      expect((await perf('--from', 'a.json', '--output', 'b.png')).code).toBe(0);
      expect(readFileSync(file('b.png')).equals(chart)).toBe(true);
      const compared = await perf('--from', 'a.json', '--compare', 'a.json', '--output', 'c.png');
      expect(compared.code).toBe(0);
      expect(compared.output).toMatch(/Uncached p50 .* 1\.00x/);
      expect(readFileSync(file('c.png')).equals(chart)).toBe(false);
      expect(app.emulator.requests.length).toBe(3);
    },
  );

  it(
    'asks the app on --port, bypasses the cache, and writes the chart to the current folder',
    { tags: ['long'] },
    async () => {
      const port = new URL(app.url).port;
      const args = ['--port', port, '--requests', '4', '--delay', '0', '--concurrency', '2'];
      const { code, output } = await folder.run(...args);
      expect(code).toBe(0);
      expect(app.emulator.requests.length).toBe(4);
      expect(output).toContain('no requests through the cache');
      expect(folder.exists('performance_results.png')).toBe(true);
    },
  );

  it('counts failures by kind, draws them, and exits with 1', { tags: ['long'] }, async () => {
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

  it('reports the results so far on Ctrl-C', { tags: ['long'] }, async () => {
    const args = ['--requests', '100000', '--delay', '0.01', '--json', 'e.json', '--output', 'e.png'];
    const command = start(...args);
    await eventually(() => app.emulator.requests.length >= 5);
    command.process.kill('SIGINT');
    expect(await command.ended).toBe(130);
    expect(command.output).toContain('Stopped early');
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
