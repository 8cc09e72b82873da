/** Sessions: concurrent questions, idempotency keys, reading, deleting, listing, and ownership. */
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, ChatMessage, ErrorBody } from '../../src/lib/contract/responses.ts';
import {
  ask,
  askForError,
  type AppOptions,
  eventually,
  post,
  startApp,
  type TestApp,
} from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

interface Session {
  session_id: string;
  created_at: string;
  updated_at: string;
  interaction_count: number;
  chat_history: ChatMessage[];
  next: string | null;
}

interface SessionList {
  sessions: { session_id: string; title: string; created_at: string; updated_at: string }[];
  next: string | null;
}

const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal': Buffer.from('{"auth_typ":"aad","claims":[]}').toString('base64'),
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-name': `${id}@example.com`,
  'x-ms-client-principal-idp': 'aad',
});
const call = (app: TestApp, path: string, method = 'GET', headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}`, { method, headers });
const pathOf = (sessionId: string): string => `/sessions/${encodeURIComponent(sessionId)}`;
const read = async (app: TestApp, sessionId: string, headers = {}): Promise<Session> => {
  const response = await call(app, pathOf(sessionId), 'GET', headers);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as Session;
};
const codeOf = async (response: Response): Promise<unknown> => [
  response.status,
  ((await response.json()) as ErrorBody).error.code,
];

describe('one session on several instances', () => {
  let apps: TestApp[];
  const start = async (options: AppOptions): Promise<void> => {
    const first = await startApp(options);
    const env = { ...options.env, AZURE_OPENAI_ENDPOINT: first.emulator.url };
    apps = [first, ...(await Promise.all([1, 2].map(() => startApp({ env }))))];
  };
  afterEach(() => Promise.all(apps.map((app) => app.stop())));
  const one = (index: number): TestApp => apps[index % apps.length] as TestApp;

  it('stores each of 50 concurrent questions exactly once, in the same order for all readers', async () => {
    await start({ env: { HISTORY_MAX_INTERACTIONS: '60' }, emulator: { latencyMs: 100 } });
    const session_id = randomUUID();
    const questions = Array.from({ length: 50 }, (_, index) => `Question ${index} of ${session_id}`);
    const answers = await Promise.all(
      questions.map((question, index) => ask(one(index), { question, session_id })),
    );
    for (const [index, answer] of answers.entries()) {
      expect(answer.performance_metrics.history_saved).toBe(true);
      expect(answer.chat_history.at(-2)).toEqual({ role: 'human', content: questions[index] });
    }
    const orders = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const { chat_history: history, interaction_count: count } = await read(one(index), session_id);
        expect(count).toBe(50);
        return history.filter(({ role }) => role === 'human').map(({ content }) => content);
      }),
    );
    expect(orders[0]?.toSorted()).toEqual(questions.toSorted());
    expect(orders[1]).toEqual(orders[0]);
    expect(orders[2]).toEqual(orders[0]);
  });

  it('answers concurrent repeats of a question once', { tags: ['long'] }, async () => {
    await start({ emulator: { latencyMs: 700 } });
    const session_id = randomUUID();
    const body = JSON.stringify({ question: 'What is the capital of Kenya?', session_id });
    const headers = { 'Idempotency-Key': randomUUID(), 'Cache-Control': 'no-store' };
    const responses = await Promise.all(
      Array.from({ length: 9 }, (_, index) => post(one(index), body, headers)),
    );
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 200));
    expect(
      responses.filter((response) => response.headers.get('idempotency-replayed') === null),
    ).toHaveLength(1);
    const answers = (await Promise.all(responses.map((response) => response.json()))) as Answer[];
    expect(new Set(answers.map(({ answer }) => answer))).toEqual(
      new Set(['The capital of Kenya is Nairobi.']),
    );
    expect(apps[0]?.emulator.requests).toHaveLength(1);
    expect((await read(one(1), session_id)).interaction_count).toBe(1);
  });

  it('lets another instance answer when the first one has crashed', { tags: ['long'] }, async () => {
    await start({ env: { REQUEST_TIMEOUT_SECONDS: '2' }, emulator: { latencyMs: 300_000 } });
    const session_id = randomUUID();
    const headers = { 'Idempotency-Key': 'k' };
    const body = JSON.stringify({ question: 'What is the capital of Japan?', session_id });
    const crashed = post(one(0), body, headers).catch(() => null);
    await eventually(() => apps[0]?.emulator.requests.length === 1);
    one(0).host.process.kill('SIGKILL');
    await crashed;
    one(0).emulator.latencyMs = 0;
    // The lease lasts until 5 s after the deadline. A repeat that waits until its own deadline gets an error.
    await eventually(async () => (await post(one(1), body, headers)).status === 200, 20_000);
    expect((await read(one(2), session_id)).interaction_count).toBe(1);
  });
});

describe('a session', () => {
  const app = useApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });

  it('is read completely, page by page', async () => {
    const session_id = `a/b ?#%💥 ${randomUUID()}`;
    const before = Date.now();
    for (let index = 0; index < 53; index++) await ask(app, { question: `Number ${index}`, session_id });
    const newest = await read(app, session_id);
    expect(newest).toMatchObject({ session_id, interaction_count: 53 });
    expect(newest.chat_history).toHaveLength(100);
    expect(newest.chat_history.at(-2)).toMatchObject({ role: 'human', content: 'Number 52' });
    expect(Date.parse(newest.created_at)).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse(newest.updated_at)).toBeGreaterThan(Date.parse(newest.created_at));
    const oldest = (await (await call(app, newest.next ?? '')).json()) as Session;
    expect(
      oldest.chat_history.map(({ content }) => content).filter((text) => text.startsWith('Number')),
    ).toEqual(['Number 0', 'Number 1', 'Number 2']);
    expect(oldest.next).toBeNull();
    await ask(app, { question: 'q', session_id, new_conversation: true });
    expect(await codeOf(await call(app, newest.next ?? ''))).toEqual([404, 'session_not_found']);
    expect((await read(app, session_id)).interaction_count).toBe(1);
  });

  it('with an unknown id is a 404, and an invalid position is a 400', async () => {
    expect(await codeOf(await call(app, pathOf(randomUUID())))).toEqual([404, 'session_not_found']);
    const { session_id } = await ask(app, { question: 'q' });
    for (const before of ['', 'x', '0', "' or 1 eq 1", '9'.repeat(63)]) {
      const path = `${pathOf(session_id)}?before=${encodeURIComponent(before)}`;
      expect(await codeOf(await call(app, path))).toEqual([400, 'invalid_request']);
    }
    // The host encodes a path again that it could not decode.
    expect(await codeOf(await call(app, '/sessions/%E0%A4%A'))).toEqual([404, 'session_not_found']);
    expect(await codeOf(await call(app, pathOf('x'.repeat(257))))).toEqual([400, 'invalid_request']);
    const wrong = await call(app, pathOf(session_id), 'PUT');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, DELETE']);
  });

  it('can be deleted, also when it does not exist', async () => {
    const { session_id } = await ask(app, { question: 'My name is Gil.' });
    for (const id of [session_id, session_id, randomUUID()]) {
      expect((await call(app, pathOf(id), 'DELETE')).status).toBe(204);
    }
    expect(await codeOf(await call(app, pathOf(session_id)))).toEqual([404, 'session_not_found']);
    const after = await ask(app, { question: 'What is my name?', session_id });
    expect(after.answer).not.toContain('Gil');
    expect(after.chat_history).toHaveLength(2);
  });

  it('that is deleted or reset never shows an answer that was in flight then', async () => {
    for (const forget of ['DELETE', 'new_conversation']) {
      const { session_id } = await ask(app, { question: 'first' });
      app.emulator.latencyMs = 800;
      const late = ask(app, { question: `tardy ${randomUUID()}`, session_id });
      await eventually(() => app.emulator.requests.some(({ status }) => status === null));
      app.emulator.latencyMs = 0;
      if (forget === 'DELETE') await call(app, pathOf(session_id), 'DELETE');
      else await ask(app, { question: 'anew', session_id, new_conversation: true });
      // A deletion also stops the answer.
      if (forget === 'DELETE') expect(await late).toMatchObject({ answer: '', stopped: true });
      else expect((await late).answer).toContain('tardy');
      const next = await ask(app, { question: 'next', session_id });
      expect(JSON.stringify(next.chat_history)).not.toContain('tardy');
    }
  });

  it('replays the stored answer for the same Idempotency-Key, and refuses another question with it', async () => {
    const session_id = randomUUID();
    const headers = { 'Idempotency-Key': 'key one' };
    const first = await ask(app, { question: 'My name is Lea.', session_id }, headers);
    await ask(app, { question: 'What is the capital of Italy?', session_id });
    const again = await post(app, JSON.stringify({ question: 'My name is Lea.', session_id }), headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const replayed = (await again.json()) as Answer;
    expect(replayed).toMatchObject({ answer: first.answer, chat_history: first.chat_history, session_id });
    expect(replayed.performance_metrics).toMatchObject({
      from_cache: true,
      history_saved: true,
      connection: null,
    });
    expect(app.emulator.requests).toHaveLength(2);
    expect((await read(app, session_id)).interaction_count).toBe(2);

    const other = await askForError(app, { question: 'Another', session_id }, headers);
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'idempotency_conflict' } } });
    const elsewhere = await ask(app, { question: 'Another', session_id: randomUUID() }, headers);
    expect(elsewhere.chat_history).toHaveLength(2);
    for (const [body, key] of [
      [{ question: 'q' }, 'k'],
      [{ question: 'q', session_id }, 'k'.repeat(256)],
    ] as const) {
      const refused = await askForError(app, body, { 'Idempotency-Key': key });
      expect([refused.status, refused.body.status.includes('Idempotency-Key')]).toEqual([400, true]);
    }
  });

  it('retries a failed question with its Idempotency-Key, and resets a conversation only once', async () => {
    const { session_id } = await ask(app, { question: 'old' });
    const fields = { question: `anew ${randomUUID()}`, session_id, new_conversation: true };
    const headers = { 'Idempotency-Key': 'anew' };
    app.emulator.failNext({ kind: 'content_filter' });
    expect((await askForError(app, fields, headers)).status).toBe(422);
    await ask(app, fields, headers);
    await ask(app, { question: 'and on', session_id });
    await ask(app, fields, headers);
    expect((await read(app, session_id)).interaction_count).toBe(2);
    await ask(app, { question: 'again anew', session_id, new_conversation: true });
    expect((await askForError(app, fields, headers)).body.error.code).toBe('idempotency_conflict');
  });

  it('belongs to the signed-in user: another user has another session with the same id', async () => {
    const session_id = randomUUID();
    await ask(app, { question: 'My name is Ann.', session_id }, signedIn('ann'));
    await ask(app, { question: 'My name is Bob.', session_id }, signedIn('bob'));
    const toAnn = await ask(app, { question: 'What is my name?', session_id }, signedIn('ann'));
    expect(toAnn.answer).toContain('Ann');
    expect(JSON.stringify(await read(app, session_id, signedIn('bob')))).not.toContain('Ann');
    expect((await call(app, pathOf(session_id))).status).toBe(404);
    await call(app, pathOf(session_id), 'DELETE', signedIn('bob'));
    expect((await read(app, session_id, signedIn('ann'))).interaction_count).toBe(2);
  });

  it('is in the list of its user, the newest first, until it is deleted', async () => {
    const ann = signedIn(`ann ${randomUUID()}`);
    const list = async (): Promise<SessionList> =>
      (await call(app, '/sessions', 'GET', ann)).json() as Promise<SessionList>;
    const titles = async () => (await list()).sessions.map(({ title }) => title);
    const [first, second] = [randomUUID(), randomUUID()];
    await ask(app, { question: 'The first?', session_id: first }, ann);
    await ask(app, { question: 'The second?', session_id: second }, ann);
    await eventually(async () => (await titles()).length === 2);
    expect(await titles()).toEqual(['The second?', 'The first?']);
    await ask(app, { question: 'More.', session_id: first }, ann);
    await eventually(async () => (await titles())[0] === 'The first?');
    expect(await list()).toMatchObject({
      sessions: [{ session_id: first }, { session_id: second }],
      next: null,
    });
    await call(app, pathOf(second), 'DELETE', ann);
    expect(await titles()).toEqual(['The first?']);
    expect(await codeOf(await call(app, '/sessions'))).toEqual([401, 'not_signed_in']);
    expect(await codeOf(await call(app, '/sessions?before=x', 'GET', ann))).toEqual([400, 'invalid_request']);
    expect((await call(app, '/sessions', 'POST', ann)).headers.get('allow')).toBe('GET');
  });

  it('has a random id', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await ask(app, { question: 'q' })).session_id),
    );
    expect(new Set(ids).size).toBe(20);
    // Version 4: 122 random bits.
    for (const id of ids)
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });
});

it('user headers are ignored when App Service authentication is off', async () => {
  const app = await startApp();
  try {
    const session_id = randomUUID();
    await ask(app, { question: 'My name is Ann.', session_id }, signedIn('ann'));
    expect((await ask(app, { question: 'What is my name?', session_id }, signedIn('bob'))).answer).toContain(
      'Ann',
    );
    expect(await codeOf(await call(app, '/sessions', 'GET', signedIn('ann')))).toEqual([
      401,
      'not_signed_in',
    ]);
  } finally {
    await app.stop();
  }
});

it('the purge runs on a timer and logs its result', async () => {
  const app = await startApp({ env: { SESSIONS_TABLE_NAME: `t${Date.now()}` } });
  try {
    await ask(app, { question: 'q', session_id: 's' });
    const run = await fetch(`${app.url}/admin/functions/purge-sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'x-functions-key': app.host.masterKey },
      body: '{}',
    });
    expect(run.status).toBe(202);
    await eventually(() => /purge: 0 of 1 rows in 1 partitions removed/.test(app.output()));
  } finally {
    await app.stop();
  }
});
