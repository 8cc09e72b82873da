/** The benchmarks measure for minutes, so that only their options and their arithmetic are tested. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { byTurns } from '../../bench/harness/turns.ts';
import { formatRegressions } from '../../bench/harness/results.ts';
import type { Cost } from '../../dev/figures/cost.ts';
import { root } from '../../dev/stack/root.ts';
import { runNode, systemEnvironment } from '../../dev/stack/child-process.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** Runs a script of package.json, and ends it when it takes longer than its help would. */
function run(command = '', ...args: string[]) {
  const [program, ...rest] = command.split(' ');
  expect(program).toBe('node');
  return runNode([...rest, ...args], { cwd: root, env: systemEnvironment(), timeout: 20_000 });
}

it('refuses an unknown option before it measures', async () => {
  const { code, stdout, stderr } = await run(scripts['bench'], '--fast');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain("Unknown option '--fast'");
});

it('names the parts when it does not know one', async () => {
  const { code, stderr } = await run(scripts['bench'], 'streams');
  expect(code).toBe(2);
  expect(stderr).toMatch(/Unknown part streams; choose from cold-start, .*limits, quick/);
});

it.each([
  [['--before', 'src'], 'src is not a published folder'],
  [['--before', 'out', 'limits'], 'not with limits'],
  [['--before', 'out', '--write'], 'not with --write'],
])('does not compare with %j', async (args, message) => {
  const { code, stderr } = await run(scripts['bench'], ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

const costs: Cost[] = [
  { name: 'CPU', baseline: 'nothing', unit: 'ms', target: null, rounds: [{ app: 3, baseline: 1 }] },
];
const measured = (app: number): Cost[] => costs.map((cost) => ({ ...cost, rounds: [{ app, baseline: 1 }] }));

it('reports a regression above 10 %, in the best round', () => {
  expect(formatRegressions(measured(3.2), costs)).toBe('No regression above 10 %.');
  expect(formatRegressions(measured(3.4), costs)).toContain('CPU: 1.13 times the committed ratio');
  const [cost] = measured(3.4);
  const noisy = {
    ...cost,
    rounds: [
      { app: 9, baseline: 1 },
      { app: 3.1, baseline: 1 },
    ],
  } as Cost;
  expect(formatRegressions([noisy], costs)).toBe('No regression above 10 %.');
});

it('measures by turns, and leaves the first round out', async () => {
  const order: string[] = [];
  const side = (name: string) => async () => order.push(name);
  const rounds = await byTurns(2, { app: side('app'), other: side('other') });
  expect(order).toEqual(['other', 'app', 'app', 'other', 'other', 'app']);
  expect(rounds).toEqual([
    { app: 3, other: 4 },
    { other: 5, app: 6 },
  ]);
});
