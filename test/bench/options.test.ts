/** The command lines of the benchmarks. They measure for minutes, so that only their options are tested. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { runNode, systemEnvironment } from '../../dev/stack/child-process.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const RESULTS = ['performance.json', 'performance.md', 'performance.png'];

/** Runs a script of package.json, and ends it when it takes longer than its help would. */
function run(command = '', ...args: string[]) {
  const [program, ...rest] = command.split(' ');
  expect(program).toBe('node');
  return runNode([...rest, ...args], { cwd: root, env: systemEnvironment(), timeout: 20_000 });
}

const timesOfResults = (): number[] => RESULTS.map((file) => statSync(join(root, 'docs', file)).mtimeMs);

it('refuses an unknown option before it measures', async () => {
  const { code, stdout, stderr } = await run(scripts['bench:streams'], '--fast');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain("Unknown option '--fast'");
});

it('does not write the results of a part', async () => {
  const { code, stderr } = await run(scripts['bench'], '--write', 'cpu');
  expect(code).toBe(2);
  expect(stderr).toContain('--write needs the results of all parts');
});

it.each([
  [['--before', 'src'], 'src is not a published folder'],
  [['--before', 'out', 'plain'], 'not with plain'],
  [['--before', 'out', '--write'], 'not with --write'],
])('does not compare with %j', async (args, message) => {
  const { code, stderr } = await run(scripts['bench'], ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

it('prints the table of results without changing the files in docs', async () => {
  const before = timesOfResults();
  const { code, stdout } = await run(scripts['bench:chart']);
  expect(code).toBe(0);
  expect(stdout).toContain('| Cost | Ratio | Target |');
  expect(timesOfResults()).toEqual(before);
});
