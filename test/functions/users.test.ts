/**
 * The erasure and the export of a user. That an erasure is complete is shown by a search of all bytes: of Azurite's files, the
 * cache file with its log, Redis, and the output of the app.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzuriteTables } from '../../dev/stack/azurite.ts';
import { type Redis, startRedis } from '../../dev/stack/redis.ts';
import type { ErrorBody, Session, SessionList } from '../../src/lib/contract/responses.ts';
import type { UserErasure } from '../../src/lib/contract/user-data.ts';
import { indexPartition } from '../../src/lib/history/session-index-rows.ts';
import { digest } from '../../src/lib/history/session-rows.ts';
import { createTableRowStore } from '../../src/lib/history/table-row-store.ts';
import { followed, hasText } from '../support/answers.ts';
import { ask, eventually, newQuestion, post, startApp, type TestApp } from '../support/app.ts';
import { useApp, useFreshApp, useStorage } from '../support/fixture.ts';
import { startStorageProxy, type StorageProxy } from '../support/storage-proxy.ts';
import { storage } from '../support/azurite.ts';

type Headers = Record<string, string>;
const SIGN_IN = { WEBSITE_AUTH_ENABLED: 'True', CACHE_PARTITION: 'user' };
const signedIn = (id: string): Headers => ({
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': 'aad',
});
const me = (app: TestApp, headers: Headers): Promise<Response> =>
  fetch(`${app.url}/users/me`, { method: 'DELETE', headers });
async function erase(app: TestApp, headers: Headers): Promise<UserErasure> {
  const response = await me(app, headers);
  const body = (await response.json()) as UserErasure;
  expect([response.status, body.state], JSON.stringify(body)).toEqual([200, 'erased']);
  return body;
}
type Line = { type: string } & Record<string, string>;
async function exported(app: TestApp, headers: Headers, path = '/users/me/export'): Promise<Line[]> {
  const response = await fetch(app.url + path, { headers });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  const lines = (await response.text()).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line);
}
const listOf = async (app: TestApp, headers: Headers): Promise<string[]> => {
  const response = await fetch(`${app.url}/sessions`, { headers });
  return ((await response.json()) as SessionList).sessions.map(({ title }) => title);
};

describe('everything of a user', { tags: ['redis'] }, () => {
  const [ann, bob] = [signedIn(randomUUID()), signedIn(randomUUID())];
  // Words that nothing else has.
  const [secret, other] = ['Xylophonist', 'Quadrupedal'];
  let folder: string;
  let azurite: Azurite;
  let proxy: StorageProxy;
  let redis: Redis;
  let app: TestApp;
  let elsewhere: TestApp;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ask-erasure-'));
    [azurite, redis] = await Promise.all([startAzuriteTables(join(folder, 'azurite')), startRedis()]);
    proxy = await startStorageProxy(azurite.connectionString);
    const env = {
      ...SIGN_IN,
      ANSWER_CACHE_REDIS_URL: redis.url,
      SESSIONS_STORAGE: azurite.connectionString,
    };
    app = await startApp({ env: { ...env, ANSWER_CACHE_PATH: join(folder, 'cache', 'a.sqlite') } });
    elsewhere = await startApp({
      env: {
        ...env,
        AZURE_OPENAI_ENDPOINT: app.emulator.url,
        SESSIONS_STORAGE: proxy.connectionString,
      },
    });
    for (const each of [app, elsewhere]) {
      await eventually(
        async () =>
          (await ask(each, { question: newQuestion() })).performance_metrics.cache.result === 'miss',
      );
    }
  }, 60_000);
  afterAll(async () => {
    await elsewhere.stop();
    await app.stop();
    await redis.kill();
    await proxy.close();
    await azurite.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function filesWith(text: string): string[] {
    const files = ['azurite', 'cache'].flatMap((name) =>
      readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    );
    try {
      return files.filter((file) => readFileSync(file).includes(text));
    } catch (error) {
      // Azurite writes a new file and renames it: its text may be in a file that was read before.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return filesWith(text);
      throw error;
    }
  }

  /** Where a text is found. Azurite saves its tables within seconds, and when it stops. */
  async function placesOf(text: string): Promise<string[]> {
    const found = filesWith(text);
    const keys = [...(await redis.command('KEYS', '*')).matchAll(/^(?![*$])(.+?)\r$/gm)].map(
      ([, key]) => key,
    );
    const values = await Promise.all(keys.map((key = '') => redis.command('GET', key)));
    const inRedis = [...keys, ...values].some((value) => value?.includes(text));
    const inOutput = (app.output() + elsewhere.output()).includes(text);
    return [
      ...new Set(found.map((file) => (file.includes('azurite') ? 'storage' : 'cache file'))),
      ...(inRedis ? ['Redis'] : []),
      ...(inOutput ? ['output'] : []),
    ];
  }
  const postTo = (path: string, body: object, headers: Headers): Promise<Response> =>
    fetch(app.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  /** Changes the rows of an erasure and of its user's sessions as if all was ten minutes ago: the timer then goes on. */
  async function makeOlder(userId: string): Promise<void> {
    const tables = { connectionString: azurite.connectionString, tableName: 'sessions' };
    const store = await createTableRowStore(tables);
    const then = String(Date.now() - 600_000);
    await store.merge('erasures', digest(userId), { startedAt: then });
    const states = await store.list(indexPartition(userId), { from: 'state-', to: 'state.' });
    for (const { key } of states) await store.merge(indexPartition(userId), key, { createdAt: then });
  }

  /** Asks in every way in which questions are stored. */
  async function askInAllWays(word: string, user: Headers): Promise<void> {
    const question = () => `${word} ${randomUUID()}?`;
    const { session_id } = await ask(app, { question: question() }, user);
    await ask(app, { question: question(), session_id }, user);
    await ask(app, { question: question(), session_id, new_conversation: true }, user);
    await ask(elsewhere, { question: question(), session_id: `${word} session` }, user);
    await ask(app, { question: `${question()} ${'long '.repeat(2000)}` }, user);
    await followed(await post(app, JSON.stringify({ question: question(), stream: true }), user));
    const keyed = { ...user, 'Idempotency-Key': `${word}-${randomUUID()}` };
    await ask(app, { question: question(), session_id: `${word} keyed` }, keyed);
    const copied = await postTo(`/sessions/${session_id}/copy`, {}, user);
    expect(copied.status).toBe(201);
    const messages = [{ role: 'user', content: question() }];
    const inSession = { ...user, 'X-Session-Id': `${word} of OpenAI` };
    for (const headers of [user, inSession])
      expect((await postTo('/v1/chat/completions', { model: 'default', messages }, headers)).status).toBe(
        200,
      );
    const response = await postTo('/v1/responses', { model: 'default', input: question() }, user);
    expect(response.status).toBe(200);
  }

  it('is gone, byte by byte, and what others have stays', async () => {
    await askInAllWays(secret, ann);
    await askInAllWays(other, bob);
    const all = ['storage', 'cache file', 'Redis'];
    for (const word of [secret, other])
      await eventually(async () => (await placesOf(word)).join() === all.join(), 30_000);
    // A session for each question without one, the two named ones of /ask, that of OpenAI, and the copy.
    await eventually(async () => (await listOf(app, ann)).length === 8);
    const lines = await exported(elsewhere, ann);
    expect(lines.filter(({ type }) => type === 'session')).toHaveLength(8);
    expect(lines.filter(({ type }) => type === 'interaction')).toHaveLength(8);
    expect(lines.at(-1)).toEqual({ type: 'end', records: 16 });
    expect(JSON.stringify(lines)).not.toContain(other);

    expect(await erase(app, ann)).toMatchObject({ cached_answers: 'deleted' });
    expect(await listOf(elsewhere, ann)).toEqual([]);
    expect(await exported(app, ann)).toEqual([{ type: 'end', records: 0 }]);
    await eventually(async () => (await placesOf(secret)).length === 0, 30_000);
    expect(await placesOf(other)).toEqual(all);
    expect(await listOf(app, bob)).toHaveLength(8);
  });

  it('of an instance that did not erase it is not found by questions', async () => {
    const question = newQuestion();
    for (const each of [elsewhere, elsewhere, app]) await ask(each, { question }, ann);
    await erase(app, ann);
    const again = await ask(elsewhere, { question }, ann);
    expect(again.performance_metrics.cache.result).toBe('miss');
  });

  it('includes an answer that is in progress, here and elsewhere', async () => {
    app.emulator.tokenDelayMs = 100;
    const asking = [];
    // The last one is not stopped: it has an end of its own.
    for (const [each, headers, words] of [
      [app, ann, 1000],
      [app, { ...ann, 'Idempotency-Key': randomUUID() }, 1000],
      [elsewhere, { ...ann, 'Idempotency-Key': randomUUID() }, 1000],
      [elsewhere, ann, 40],
    ] as const) {
      const question = `${secret} ${'word '.repeat(words)}`;
      const response = await post(
        each,
        JSON.stringify({ question: question + randomUUID(), session_id: randomUUID(), stream: true }),
        headers,
      );
      const first = Promise.withResolvers<void>();
      asking.push(
        followed(response, (so) => {
          if (hasText(so)) first.resolve();
          return false;
        }),
      );
      await first.promise;
    }
    await erase(app, ann);
    // The instance stops its own; those with a key stop within seconds everywhere.
    const stopped = await Promise.all(asking.slice(0, 3));
    expect(stopped.map(({ done }) => done)).toMatchObject(
      [1, 2, 3].map(() => ({ stopped: true, performance_metrics: { history_saved: false } })),
    );
    await asking[3];
    expect(await listOf(app, ann)).toEqual([]);
    // Redis has the answer of the other instance until it expires: nobody finds it.
    await eventually(async () => !(await placesOf(secret)).includes('storage'), 30_000);
    expect(await placesOf(secret)).not.toContain('output');
  });

  it('is erased to the end by another instance when the first one is killed on the way', async () => {
    await askInAllWays(secret, ann);
    await eventually(async () => (await placesOf(secret)).includes('storage'), 30_000);
    proxy.failNext('batch', 'hold', 100);
    const { process } = elsewhere.host;
    const erasing = me(elsewhere, ann).catch(() => 'broken');
    await eventually(() => proxy.requests.some(({ kind, status }) => kind === 'batch' && status === null));
    process.kill('SIGKILL');
    expect(await erasing).toBe('broken');
    await makeOlder(JSON.stringify(['aad', ann['x-ms-client-principal-id']]));
    const headers = { 'Content-Type': 'application/json', 'x-functions-key': app.host.masterKey };
    await fetch(`${app.url}/admin/functions/purge-sessions`, { method: 'POST', headers, body: '{}' });
    await eventually(() => /erasure: one that was interrupted is done/.test(app.output()));
    await eventually(async () => (await placesOf(secret)).length === 0, 30_000);
    await azurite.stop();
    expect(await placesOf(secret)).toEqual([]);
  });
});

describe('the data of a user', () => {
  const app = useApp({ env: SIGN_IN });

  it('is erased and exported by an operator, by provider and id', async () => {
    const id = `sid:${randomUUID()}/x`;
    await ask(app, { question: 'My name is Ada.' }, signedIn(id));
    const path = `/users/${encodeURIComponent(id)}`;
    expect(await exported(app, {}, `${path}/export?provider=github`)).toHaveLength(1);
    expect(await exported(app, {}, `${path}/export?provider=aad`)).toHaveLength(3);
    const response = await fetch(`${app.url}${path}?provider=aad`, { method: 'DELETE' });
    expect(await response.json()).toMatchObject({ state: 'erased' });
    expect(await exported(app, signedIn(id))).toHaveLength(1);
  });

  it('belongs to callers who are known', async () => {
    for (const [method, path] of [
      ['DELETE', '/users/me'],
      ['GET', '/users/me/export'],
    ] as const) {
      const response = await fetch(app.url + path, { method });
      const { status, error } = (await response.json()) as ErrorBody;
      expect([response.status, error.code]).toEqual([401, 'not_signed_in']);
      expect(status).toContain('DELETE /sessions/');
    }
  });

  it('is exported no faster than it is read', async () => {
    const user = signedIn(randomUUID());
    const question = 'long '.repeat(6000);
    const { session_id } = await ask(app, { question }, user);
    for (let count = 0; count < 5; count++) await ask(app, { question, session_id }, user);
    const reader = (await fetch(`${app.url}/users/me/export`, { headers: user })).body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await reader?.cancel();
    const { interaction_count } = (await (
      await fetch(`${app.url}/sessions/${session_id}`, { headers: user })
    ).json()) as Session;
    expect(interaction_count).toBe(6);
  });
});

describe('callers with keys', () => {
  const key = randomUUID();
  const CALLER_KEYS = `reports=${createHash('sha256').update(key).digest('hex')}`;
  const app = useApp({ env: { HTTP_AUTH_LEVEL: 'anonymous', CALLER_KEYS } });

  it('erase and export themselves, and operators do it by their names', async () => {
    const headers = { Authorization: `Bearer ${key}` };
    await ask(app, { question: 'My name is Ada.' }, headers);
    expect(await exported(app, headers)).toHaveLength(3);
    expect(await erase(app, headers)).toMatchObject({ cached_answers: 'deleted' });
    expect(await exported(app, headers)).toHaveLength(1);
    await ask(app, { question: 'My name is Ada.' }, headers);
    expect(await exported(app, {}, '/users/reports/export')).toHaveLength(3);
    expect((await fetch(`${app.url}/users/reports`, { method: 'DELETE' })).status).toBe(200);
    expect(await exported(app, headers)).toHaveLength(1);
    expect((await me(app, {})).status).toBe(401);
  });
});

describe('without known users', () => {
  const app = useApp();

  it('the request says what to do', async () => {
    const response = await me(app, signedIn('ann'));
    expect([response.status, await response.text()]).toEqual([401, expect.stringContaining('Sign in')]);
  });
});

describe('the keys', () => {
  const app = useFreshApp();

  it('of operators are needed for other users', async () => {
    await app.start({ enableAuth: true, env: { ...SIGN_IN, HTTP_AUTH_LEVEL: 'anonymous' } });
    const path = `/users/${randomUUID()}?provider=aad`;
    const statusOf = async (url: string, headers: Headers): Promise<number> =>
      (await fetch(app.url + url, { method: 'DELETE', headers })).status;
    expect(await statusOf(path, {})).toBe(401);
    expect(await statusOf(path, signedIn('ann'))).toBe(401);
    expect(await statusOf(path, { 'x-functions-key': app.host.functionKey })).toBe(403);
    expect(await statusOf(path, { 'x-functions-key': app.host.masterKey })).toBe(200);
    expect(await statusOf('/users/me', signedIn('ann'))).toBe(200);
  });
});

describe('when storage fails', () => {
  const proxy = useStorage();
  const app = useApp(() => ({
    env: { ...SIGN_IN, SESSIONS_STORAGE: proxy.connectionString },
  }));

  it('an erasure is not reported as done, and an export says so', async () => {
    const user = signedIn(randomUUID());
    await ask(app, { question: 'My name is Ada.' }, user);
    proxy.failNext('batch', { status: 500, code: 'InternalError' }, 20);
    const response = await me(app, user);
    expect([response.status, ((await response.json()) as ErrorBody).error.code]).toEqual([
      503,
      'erasure_incomplete',
    ]);
    proxy.reset();
    proxy.failNext('query', { status: 500, code: 'InternalError' }, 20);
    expect((await fetch(`${app.url}/users/me/export`, { headers: user })).status).toBe(503);
    proxy.reset();
    await erase(app, user);
  });

  it('a first question of a user whose session cannot be listed is answered, but not stored', async () => {
    const user = signedIn(randomUUID());
    const session_id = randomUUID();
    proxy.failNext('insert', { status: 500, code: 'InternalError' }, 2);
    const answer = await ask(app, { question: newQuestion(), session_id }, user);
    expect(answer.performance_metrics.history_saved).toBe(false);
    proxy.reset();
    const store = await createTableRowStore({ connectionString: storage, tableName: 'sessions' });
    const userId = JSON.stringify(['aad', user['x-ms-client-principal-id']]);
    expect(await store.list(digest(userId, session_id))).toEqual([]);
    expect((await ask(app, { question: newQuestion(), session_id }, user)).chat_history).toHaveLength(2);
  });
});
