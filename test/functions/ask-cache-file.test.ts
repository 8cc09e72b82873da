/** Paths at which no cache file can be created: questions are answered without it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ask, eventually } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-place-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function underFile(): string {
  writeFileSync(join(folder, 'file'), 'not a folder');
  return join(folder, 'file', 'deeper', 'answers.sqlite');
}

function fifo(): string {
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  return join(folder, 'fifo');
}

/** Names and types of the folder's entries. */
const entries = (): [string, boolean][] =>
  readdirSync(folder, { withFileTypes: true }).map((entry) => [entry.name, entry.isFile()]);

const everywhere: [string, () => string][] = [
  ['under a regular file', underFile],
  ['at a folder', () => folder],
];
const onUnix: typeof everywhere = [
  ['at a named pipe', fifo],
  ['under a named pipe', () => join(fifo(), 'answers.sqlite')],
];
const onLinux: typeof everywhere = [
  ['where mkdir reports a missing parent folder', () => '/proc/azure-functions-ask/answers.sqlite'],
  ['in a deeper missing folder', () => '/proc/azure-functions-ask/a/b/answers.sqlite'],
  ['in a read-only file system', () => '/sys/azure-functions-ask/answers.sqlite'],
];
const places = [
  ...everywhere,
  ...(process.platform === 'win32' ? [] : onUnix),
  ...(process.platform === 'linux' ? onLinux : []),
];

it.each(sampled(places, 2))(
  'a cache file %s: questions are answered, and the log reports it once',
  async (_, pathIn) => {
    const path = pathIn();
    const before = entries();
    await app.start({ env: { ANSWER_CACHE_PATH: path } });
    const asking = ['one', 'two', 'three'].map((question) => ask(app, { question }));
    for (const { performance_metrics: metrics } of await Promise.all(asking)) {
      expect(metrics.cache.result).toBe('error');
    }
    const again = await ask(app, { question: 'one' });
    expect(again.performance_metrics.cache).toMatchObject({ result: 'hit', tier: 'memory' });
    const warnings = () => app.output().match(/The cache file .* cannot be used now/g) ?? [];
    await eventually(() => warnings().length > 0);
    expect(warnings()).toHaveLength(1);
    expect(app.output()).toContain(path);
    // Files that the app did not create are not changed.
    expect(entries()).toEqual(before);
    expect(await app.host.stop()).toBe(0);
  },
);
