/** npm run crash: nothing is lost or doubled when processes die. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { victimOf } from '../../bench/crash/victims.ts';
import { runBench } from '../support/bench-command.ts';

it('the app, and then the storage, are killed under load', { tags: ['long'], timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ask-crash-test-'));
  try {
    const json = join(folder, 'a.json');
    const { code, output } = await runBench('crash', '--times', '3', '--seed', '7', '--json', json);
    expect(code, output).toBe(0);
    expect(output).toContain('3 rounds');
    const { rounds } = JSON.parse(readFileSync(json, 'utf8')) as {
      rounds: {
        victim: string;
        requests: Record<string, number>;
        repeats: number;
        states: Record<string, number>;
      }[];
    };
    expect(rounds.map(({ victim }) => victim)).toEqual(['app', 'app', 'storage']);
    // A round without answers, or without requests that the crash cut off, would prove nothing.
    for (const { requests } of rounds) expect(requests['done']).toBeGreaterThan(0);
    expect(rounds.slice(0, 2).every(({ requests }) => (requests['gone'] ?? 0) > 0)).toBe(true);
    expect(rounds.some(({ repeats }) => repeats > 0)).toBe(true);
    // Answers in mid-stream when the app was killed, and answers that were stored before.
    expect(rounds.some(({ states }) => (states['failed'] ?? 0) > 0)).toBe(true);
    expect(rounds.some(({ states }) => (states['answered'] ?? 0) > 0)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('each process is killed in its rounds', () => {
  const rounds = Array.from({ length: 12 }, (_, index) => victimOf(index + 1, true));
  expect(rounds.join(' ')).toBe('app app storage app stop redis app app storage stop app redis');
  expect(victimOf(6, false)).toBe('storage');
});

it('refuses an invalid number', async () => {
  const { code, output } = await runBench('crash', '--times', 'many');
  expect(code).toBe(2);
  expect(output).toContain('--times must be a number');
});
