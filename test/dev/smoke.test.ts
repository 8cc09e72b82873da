/** npm run smoke: passes against a working app, and says what an app in trouble does wrong. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writePackage } from '../../dev/package.ts';
import { freePort, runNode, startNode, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import type { AppOptions } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

const options = { cwd: root, env: systemEnvironment() };
const smoke = (...args: string[]) => runNode(['dev/run.js', 'smoke', ...args], options);

const PASSED =
  /ok {5}health [^]*ok {5}session deleted [^]*cold start \d+ ms, warm \d+ ms \(median of \d\)\. All checks passed\./;

it('passes against an app that requires a key', async () => {
  await app.start({ enableAuth: true });
  const { code, output } = await smoke('--url', `${app.url}/ask`, '--key', app.host.functionKey);
  expect(output).toMatch(PASSED);
  expect(output).not.toContain(app.host.functionKey);
  expect(code).toBe(0);
});

it('passes against the published folder', { tags: ['long'] }, async () => {
  const out = mkdtempSync(join(tmpdir(), 'ask-out-'));
  await writePackage(out);
  await app.start({ root: out });
  expect((await smoke('--url', app.url)).output).toMatch(PASSED);
  rmSync(out, { recursive: true });
});

it('passes against npm start', { tags: ['long', 'posix'] }, async () => {
  const port = await freePort();
  const dataFolder = mkdtempSync(join(tmpdir(), 'ask-data-'));
  const args = ['dev/run.js', 'start', '--port', String(port), '--data', dataFolder];
  const child = startNode(args, options);
  try {
    await child.printed('Stop with Ctrl-C');
    expect((await smoke('--url', `http://localhost:${port}`)).output).toMatch(PASSED);
  } finally {
    await child.kill('SIGTERM');
    rmSync(dataFolder, { recursive: true });
  }
});

const TROUBLES: [string, AppOptions, RegExp][] = [
  ['a wrong key', { enableAuth: true }, /FAILED ready .*answered 401 instead of 200.*--key/],
  [
    'a model that fails',
    { emulator: { fault: { kind: 'status', status: 401 } } },
    /FAILED ask .*answered 502 instead of 200.*model_misconfigured/,
  ],
  ['no cache', { env: { ANSWER_CACHE_TTL_SECONDS: '0' } }, /FAILED cached .*None of 10 answers/],
  [
    'no storage',
    { env: { AzureWebJobsStorage: 'UseDevelopmentStorage=true' } },
    /FAILED ask .*history_saved is false/,
  ],
  [
    'a short history',
    { env: { HISTORY_MAX_INTERACTIONS: '1' } },
    /FAILED follow-up .*2 messages instead of 4/,
  ],
];
it.each(TROUBLES)('fails because of %s', { tags: ['long'] }, async (_, trouble, message) => {
  await app.start(trouble);
  const { code, output } = await smoke('--url', app.url);
  expect(output).toMatch(message);
  expect(output).toMatch(/\d of 10 checks failed\.\n$/);
  expect(output).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
});

it('says that nothing listens, and refuses invalid options', async () => {
  const nothing = await smoke('--url', `http://localhost:${await freePort()}`);
  expect(nothing.code).toBe(1);
  expect(nothing.output).toMatch(/FAILED health .*ECONNREFUSED/);
  expect(await smoke('--url', 'ftp://x')).toMatchObject({
    code: 2,
    output: expect.stringContaining('--url'),
  });
  expect((await smoke('--ulr', 'x')).code).toBe(2);
});
