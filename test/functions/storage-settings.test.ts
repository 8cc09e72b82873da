/** Storage settings that do not work: one log line names the setting and the error of the storage. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { ask, askForError, eventually } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useFreshApp, useStorage } from '../support/fixture.ts';

const proxy = useStorage();
const app = useFreshApp();

const SETTING = 'SESSIONS_STORAGE';
const linesOf = (output: string): string[] => output.split('\n').filter((line) => line.includes(SETTING));

/** Returns the log output after a question and a readiness check with this storage. */
async function outputWith(connectionString: string): Promise<string> {
  await app.start({ env: { [SETTING]: connectionString } });
  const { performance_metrics: metrics } = await ask(app, { question: 'q', session_id: randomUUID() });
  expect(metrics).toMatchObject({ history_available: false, history_saved: false });
  const output = app.output();
  expect(linesOf(output)).not.toEqual([]);
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(503);
  await eventually(() => linesOf(app.output().slice(output.length)).length === 1);
  return app.output();
}

it('a wrong account key', async () => {
  for (const kind of ['query', 'insert', 'get'] as const) {
    proxy.failNext(kind, { status: 403, code: 'AuthenticationFailed' }, Infinity);
  }
  const output = await outputWith(proxy.connectionString);
  for (const line of linesOf(output)) expect(line).toContain('403 AuthenticationFailed');
  expect(output).not.toMatch(/<\?xml|<error|bundle|RequestId|^ +at /m);

  const before = app.output().length;
  const fields = { question: 'q', session_id: randomUUID(), new_conversation: true };
  expect((await askForError(app, fields)).status).toBe(503);
  expect((await fetch(`${app.url}/sessions/${randomUUID()}`)).status).toBe(503);
  await eventually(() => linesOf(app.output().slice(before)).length === 2);
});

it('an unreachable address', { tags: ['long'] }, async () => {
  const output = await outputWith(
    'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;TableEndpoint=https://storage.invalid',
  );
  for (const line of linesOf(output)) expect(line).toMatch(/ENOTFOUND|EAI_AGAIN/);
});

it.each(
  sampled([
    ['an invalid address', 'AccountName=a;AccountKey=a2V5;TableEndpoint=https://a b'],
    ['a connection string without a key', 'AccountName=a;EndpointSuffix=core.windows.net'],
  ]),
)('%s', async (_, connectionString) => {
  await app.start({ env: { [SETTING]: `DefaultEndpointsProtocol=https;${connectionString}` } });
  const refused = await askForError(app, { question: 'q' });
  expect(refused).toMatchObject({ status: 500, body: { error: { code: 'misconfigured' } } });
  expect(linesOf(app.output())).toHaveLength(1);
  expect(app.output()).not.toMatch(/TypeError|Invalid URL/);
});

it('an identity that cannot sign in', { tags: ['long'] }, async () => {
  await app.start({
    env: { SESSIONS_STORAGE: 'https://127.0.0.1:1', AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' },
  });
  const answer = await ask(app, { question: 'q', session_id: randomUUID() });
  expect(answer.performance_metrics).toMatchObject({ history_available: false, history_saved: false });
  expect(app.output()).toMatch(/Table Storage.*\(.*Error.*SESSIONS_STORAGE/);
  expect(app.output()).not.toMatch(/environment variables|aka\.ms|^ +at /im);
});
