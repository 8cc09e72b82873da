/** npm run soak: a short run finds no violation, and its files are complete. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { SoakResults } from '../../bench/soak/report.ts';
import { runBench, startBench } from '../support/bench-command.ts';
import { isFull, scaled } from '../support/effort.ts';
import { sizeOfPng } from '../support/perf-command.ts';

/** Starting the processes takes most of a short run on a busy machine. */
const TIMEOUT_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'ask-soak-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the app endures mixed load and faults', { tags: ['long'], timeout: TIMEOUT_MS }, async () => {
  const [json, png] = [join(folder, 'a.json'), join(folder, 'a.png')];
  const minutes = String(scaled(1, 0.084));
  const { code, output } = await runBench(
    'soak',
    '--minutes',
    minutes,
    '--seed',
    '7',
    '--json',
    json,
    '--png',
    png,
  );
  expect({ code, output }).toEqual({
    code: 0,
    output: expect.stringContaining('Violations (all must be 0)') as string,
  });
  const results = JSON.parse(readFileSync(json, 'utf8')) as SoakResults;
  expect(results).toMatchObject({ seed: 7, violations: {}, details: [], interrupted: false });
  expect(results.samples.length).toBeGreaterThan(1);
  expect(results.faults.length).toBeGreaterThanOrEqual(isFull ? 5 : 1);
  // Faults without effect would prove nothing.
  if (isFull) expect(results.faults.some(({ errors }) => Object.keys(errors).length > 0)).toBe(true);
  expect(results.requests['shared']).toBeGreaterThan(0);
  expect(results.sessions_compared).toBeGreaterThanOrEqual(results.callers);
  expect(sizeOfPng(readFileSync(png))[0]).toBe(1800);
});

it('Ctrl-C ends it early with the report', { tags: ['long', 'posix'], timeout: TIMEOUT_MS }, async () => {
  const command = startBench('soak', '--minutes', '10', '--seed', '8');
  await command.printed('requests,');
  command.process.kill('SIGINT');
  expect(await command.ended).toBe(130);
  expect(command.output).toContain('stopped early');
});

it.each([
  [['--minutes', '0'], '--minutes must be a number from 0.05'],
  [['--seed', 'x'], '--seed must be a number'],
  [['--fast'], "Unknown option '--fast'"],
])('refuses %j', async (args, message) => {
  const { code, output } = await runBench('soak', ...args);
  expect(code).toBe(2);
  expect(output).toContain(message);
});
