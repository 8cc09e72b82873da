/** --help of every script explains it and does nothing else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** The scripts that are ours, with the file that each runs. The others print the help of a tool. */
const ours = Object.entries(scripts).flatMap(([name, command]) => {
  const file = /^node dev\/run\.js (\S+)$/.exec(command)?.[1];
  return file === undefined ? [] : [[name, file] as const];
});

describe('--help', () => {
  it.each(ours)('of npm run %s', (name, file) => {
    const printed = execFileSync(process.execPath, ['dev/run.js', file, '--port', '1', '--help'], {
      cwd: root,
      encoding: 'utf8',
    });
    const [command, blank, description = ''] = printed.split('\n');
    expect(command).toMatch(new RegExp(`^npm (run )?${name}( -- .*)?$`));
    expect(blank).toBe('');
    expect(description).toMatch(/^[A-Z]/);
  });
});
