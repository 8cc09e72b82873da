/** --help of every script explains it and does nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runNode } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { sampled } from '../support/effort.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** The scripts that are ours, with the file that each runs. The others print the help of a tool. */
const ours = Object.entries(scripts).flatMap(([name, command]) => {
  const file = /^node dev\/run\.js (\S+)$/.exec(command)?.[1];
  return file === undefined ? [] : [[name, file] as const];
});

it.concurrent.each(sampled(ours, 6))('npm run %s -- --help', async (name, file) => {
  const { code, stdout } = await runNode(['dev/run.js', file, '--port', '1', '--help'], { cwd: root });
  expect(code).toBe(0);
  const [command, blank, description] = stdout.split('\n');
  expect(command).toMatch(new RegExp(`^npm (run )?${name}( -- .*)?$`));
  expect(blank).toBe('');
  expect(description).toMatch(/^[A-Z]/);
});
