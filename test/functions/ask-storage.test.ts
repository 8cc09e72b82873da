/** Storage requests of a question, and slow, throttled, disconnected or crashed storage as a caller sees it. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Azurite, startAzuriteTables } from '../../dev/stack/azurite.ts';
import type { ChatMessage } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, startApp, type TestApp } from '../support/app.ts';
import { useAppBehindProxy, useFreshApp } from '../support/fixture.ts';

/** Only a hanging request takes this long: a storage call times out after 1.5 s. */
const HANGS_SECONDS = 10;

const questionsIn = (history: ChatMessage[]): string[] =>
  history.flatMap(({ role, content }) => (role === 'human' ? content : []));

/** Creates a session with one interaction. Returns its id and the question. */
async function startSession(app: TestApp): Promise<{ session_id: string; question: string }> {
  const question = newQuestion();
  const { session_id, performance_metrics: metrics } = await ask(app, { question });
  expect(metrics.history_saved).toBe(true);
  return { session_id, question };
}

/** Returns the questions of a session. It asks another question to read them, which is added to the session. */
async function questionsOf(app: TestApp, session_id: string): Promise<string[]> {
  const { chat_history, performance_metrics: metrics } = await ask(app, {
    question: newQuestion(),
    session_id,
  });
  expect(metrics.history_available).toBe(true);
  return questionsIn(chat_history).slice(0, -1);
}

describe('the app behind a storage proxy', () => {
  const { app, proxy } = useAppBehindProxy();

  const requestKinds = () => proxy.requests.map(({ kind }) => kind);
  const isStored = (kind: string, index: number): boolean =>
    proxy.requests.filter((request) => request.kind === kind)[index]?.status === 204;

  it('a question whose claim fails does not use the log of its invocation after its end', async () => {
    const before = app.output().length;
    const log = () => app.output().slice(before);
    proxy.failNext('insert', { status: 403, code: 'AuthorizationFailure' });
    proxy.failNext('query', 'hold');
    const body = { question: newQuestion(), session_id: randomUUID() };
    const { status, body: error } = await askForError(app, body, { 'Idempotency-Key': randomUUID() });
    expect({ status, code: error.error.code }).toEqual({ status: 503, code: 'history_unavailable' });
    // The read ends after the claim: it has hung for 1.5 s.
    await eventually(() => log().includes('history could not be read'));
    // It is read a second time. The next test must not see that request.
    await eventually(() => proxy.requests.filter(({ kind }) => kind === 'query')[1]?.status === 200);
    expect(log()).not.toContain("Unexpected call to 'log'");
  });

  describe('a question needs', () => {
    it('one write in a new session', async () => {
      await ask(app, { question: newQuestion() });
      expect(requestKinds()).toEqual(['insert']);
    });

    it('one read and one write in a known session', async () => {
      const { session_id } = await startSession(app);
      proxy.reset();
      await ask(app, { question: newQuestion(), session_id });
      expect(requestKinds()).toEqual(['query', 'insert']);
    });

    it('one read and one write in a session with a new id from the caller', async () => {
      await ask(app, { question: newQuestion(), session_id: randomUUID() });
      expect(requestKinds()).toEqual(['query', 'insert']);
    });

    it('one read and two writes with new_conversation', async () => {
      const { session_id } = await startSession(app);
      proxy.reset();
      await ask(app, { question: newQuestion(), session_id, new_conversation: true });
      expect(requestKinds()).toEqual(['query', 'insert', 'insert']);
    });

    it('one read and two writes with an Idempotency-Key, and a further write for each 2 s of its answer', async () => {
      const { session_id } = await startSession(app);
      const keyed = async (latencyMs: number) => {
        proxy.reset();
        app.emulator.latencyMs = latencyMs;
        await ask(app, { question: newQuestion(), session_id }, { 'Idempotency-Key': randomUUID() });
        return requestKinds().toSorted();
      };
      expect(await keyed(0)).toEqual(['batch', 'insert', 'query']);
      expect(await keyed(2500)).toEqual(['batch', 'insert', 'query', 'update']);
    });

    it('one read, a further one of the conversation, and one write to replace an interaction', async () => {
      const { session_id, position } = await ask(app, { question: newQuestion(), session_id: randomUUID() });
      proxy.reset();
      await ask(app, { question: newQuestion(), session_id, replaces: position });
      expect(requestKinds()).toEqual(['query', 'query', 'batch']);
    });

    it('no more requests when the cache answers it', async () => {
      const { question } = await startSession(app);
      proxy.reset();
      const { performance_metrics: metrics } = await ask(app, { question, session_id: randomUUID() });
      expect(metrics.from_cache).toBe(true);
      expect(requestKinds()).toEqual(['query', 'insert']);
    });
  });

  describe('the read', () => {
    it('is sent first, and the model is called after it', async () => {
      const { session_id, question } = await startSession(app);
      proxy.reset();
      app.emulator.reset();
      proxy.failNext('query', 'hold');
      const asking = ask(app, { question: newQuestion(), session_id });
      await eventually(() => proxy.requests.length > 0);
      expect(requestKinds()).toEqual(['query']);
      expect(app.emulator.requests).toEqual([]);
      proxy.release();
      expect(questionsIn((await asking).chat_history)[0]).toBe(question);
      expect(app.emulator.requests[0]?.messages.map(({ content }) => content)).toContain(question);
    });

    it('does not wait for the writes of other questions', async () => {
      const { session_id, question } = await startSession(app);
      proxy.reset();
      proxy.failNext('insert', 'hold');
      let isDone = false;
      const slow = ask(app, { question: newQuestion() }).finally(() => (isDone = true));
      await eventually(() => requestKinds().includes('insert'));
      const asking = ask(app, { question: newQuestion(), session_id });
      await eventually(() => requestKinds().includes('query'));
      expect(isDone).toBe(false);
      expect(questionsIn((await asking).chat_history)[0]).toBe(question);
      proxy.release();
      await slow;
    });
  });

  describe('a new conversation', () => {
    it('is stored while the model is called: neither waits for the other', async () => {
      proxy.failNext('insert', 'hold');
      app.emulator.latencyMs = 1200;
      const question = newQuestion();
      const asking = ask(app, { question, session_id: randomUUID(), new_conversation: true });
      await eventually(() => requestKinds().includes('insert') && app.emulator.requests.length === 1);
      expect(app.emulator.requests[0]?.status).toBeNull();
      proxy.release();
      expect((await asking).performance_metrics.history_saved).toBe(true);
    });

    it(
      'takes effect at once, also for questions that are firstQuestion before its answer is complete',
      { tags: ['long'] },
      async () => {
        const { session_id } = await startSession(app);
        proxy.reset();
        app.emulator.reset();
        app.emulator.latencyMs = 4000;
        const slow = { question: newQuestion(), session_id, new_conversation: true };
        const resetting = ask(app, slow);
        await eventually(() => isStored('insert', 0) && app.emulator.requests.length === 1);

        app.emulator.latencyMs = 0;
        const followUp = await ask(app, { question: newQuestion(), session_id });
        expect(app.emulator.requests[0]?.status).toBeNull();
        const [firstQuestion = ''] = questionsIn(followUp.chat_history);
        expect(followUp.chat_history).toHaveLength(2);

        const reset = await resetting;
        expect(questionsIn(reset.chat_history)).toEqual([slow.question]);
        // In the order of asking.
        const all = [slow.question, firstQuestion];
        expect(await questionsOf(app, session_id)).toEqual(all);
        expect((await questionsOf(app, session_id)).slice(0, 2)).toEqual(all);
      },
    );
  });

  describe('throttled storage', () => {
    it('for one read: the read is retried, and the history is available', async () => {
      const { session_id, question } = await startSession(app);
      proxy.reset();
      proxy.failNext('query', 'throttle');
      expect(await questionsOf(app, session_id)).toEqual([question]);
      expect(requestKinds()).toEqual(['query', 'query', 'insert']);
    });

    it('for longer than a question waits: it is answered without history, and its answer is stored in order', async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('query', 'throttle', 2);
      const second = newQuestion();
      const answer = await ask(app, { question: second, session_id });
      expect(questionsIn(answer.chat_history)).toEqual([second]);
      expect(answer.performance_metrics).toMatchObject({ history_available: false, history_saved: true });
      expect(await questionsOf(app, session_id)).toEqual([question, second]);
    });

    it('for every read: questions are answered without history and not stored', async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('query', 'throttle', Infinity);
      const answer = await ask(app, { question: newQuestion(), session_id });
      expect(answer.chat_history).toHaveLength(2);
      expect(answer.performance_metrics).toMatchObject({ history_available: false, history_saved: false });
      proxy.reset();
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('with a Retry-After beyond the deadline: the question is answered', async () => {
      const { session_id } = await startSession(app);
      proxy.retryAfter = 60;
      proxy.failNext('query', 'throttle');
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
      expect(metrics.history_available).toBe(false);
      expect(metrics.timings.history_read).toBeLessThan(HANGS_SECONDS);
    });

    it('for one write: the write is retried, and the interaction is stored once', async () => {
      proxy.failNext('insert', 'throttle');
      const { session_id, question } = await startSession(app);
      expect(requestKinds()).toEqual(['insert', 'insert']);
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('for a write and its retry: the answer and the log report that it was not stored', async () => {
      const { session_id, question } = await startSession(app);
      const before = app.output().length;
      proxy.failNext('insert', 'throttle', 2);
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
      expect(metrics).toMatchObject({ history_available: true, history_saved: false });
      await eventually(() => app.output().slice(before).includes('could not be stored'));
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it.each(['query', 'insert'] as const)(
      'for a reset (%s): it is a 503, and the old conversation is kept',
      async (kind) => {
        const { session_id, question } = await startSession(app);
        proxy.failNext(kind, 'throttle', Infinity);
        const fields = { question: newQuestion(), session_id, new_conversation: true };
        const refused = await askForError(app, fields);
        expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
        proxy.reset();
        expect(await questionsOf(app, session_id)).toEqual([question]);
      },
    );
  });

  it('storage that is slow for each of many pages returns all of them', { tags: ['long'] }, async () => {
    const { session_id } = await startSession(app);
    for (let index = 1; index < 8; index++) await ask(app, { question: newQuestion(), session_id });
    proxy.maxPageSize = 2;
    proxy.failNext('query', { late: 600 }, Infinity);
    const response = await fetch(`${app.url}/sessions/${session_id}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ interaction_count: 8 });
  });

  describe('a connection that breaks before the response of the storage', () => {
    it('after a write: the interaction is stored once, and the answer reports it', async () => {
      proxy.failNext('insert', 'lose');
      const { session_id, question } = await startSession(app);
      expect(proxy.requests.map(({ status }) => status)).toEqual([204, 409]);
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('after a reset: one new conversation begins', async () => {
      const { session_id } = await startSession(app);
      proxy.failNext('insert', 'lose');
      const question = newQuestion();
      const fresh = await ask(app, { question, session_id, new_conversation: true });
      expect(fresh.performance_metrics.history_saved).toBe(true);
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('after the first write, which creates the table: the interaction is stored once', async () => {
      const env = {
        SESSIONS_STORAGE: proxy.connectionString,
        SESSIONS_TABLE_NAME: `t${Date.now()}`,
      };
      const fresh = await startApp({ env });
      try {
        proxy.failNext('other', 'hold');
        const asking = ask(fresh, { question: newQuestion() });
        await eventually(() => requestKinds().includes('other'));
        proxy.failNext('insert', 'lose');
        proxy.release();
        const { session_id, performance_metrics: metrics } = await asking;
        expect(metrics.history_saved).toBe(true);
        const next = await ask(fresh, { question: newQuestion(), session_id });
        expect(next.chat_history).toHaveLength(4);
      } finally {
        await fresh.stop();
      }
    });

    it('after a read: the read is retried', async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('query', 'lose');
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });
  });

  describe('storage that stops responding', () => {
    it('before the read: the question is answered without history', { tags: ['long'] }, async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('query', 'hold', Infinity);
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
      expect(metrics).toMatchObject({ history_available: false, history_saved: false });
      expect(metrics.total_time).toBeLessThan(HANGS_SECONDS);
      proxy.reset();
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('before the write: the answer is returned and reports that it was not stored', async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('insert', 'hold', Infinity);
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
      expect(metrics).toMatchObject({ history_available: true, history_saved: false });
      expect(metrics.total_time).toBeLessThan(HANGS_SECONDS);
      proxy.reset();
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });

    it('before a reset is stored: it is a 503, although the model has answered', async () => {
      const { session_id, question } = await startSession(app);
      proxy.failNext('insert', 'hold', Infinity);
      const fields = { question: newQuestion(), session_id, new_conversation: true };
      expect((await askForError(app, fields)).body.error.code).toBe('history_unavailable');
      proxy.reset();
      expect(await questionsOf(app, session_id)).toEqual([question]);
    });
  });
});

describe('the storage process', () => {
  let folder: string;
  let azurite: Azurite;
  const app = useFreshApp();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ask-storage-'));
    azurite = await startAzuriteTables(folder);
    await app.start({ env: { SESSIONS_STORAGE: azurite.connectionString } });
  });
  afterEach(async () => {
    await azurite.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const restart = async (): Promise<void> => {
    azurite = await startAzuriteTables(folder, Number(new URL(azurite.url).port));
  };

  it('restarts: earlier interactions are kept, and new ones are stored', async () => {
    const { session_id, question } = await startSession(app);
    expect(await azurite.stop()).toBe(0);
    const unsaved = await ask(app, { question: newQuestion(), session_id });
    expect(unsaved.performance_metrics).toMatchObject({ history_available: false, history_saved: false });
    await restart();
    const next = newQuestion();
    await ask(app, { question: next, session_id });
    expect(await questionsOf(app, session_id)).toEqual([question, next]);
  });

  it(
    'is killed during the model call: the answer is returned, and the next one is stored',
    { tags: ['long'] },
    async () => {
      const { session_id } = await startSession(app);
      app.emulator.reset();
      app.emulator.latencyMs = 1000;
      const asking = ask(app, { question: newQuestion(), session_id });
      await eventually(() => app.emulator.requests.length === 1);
      const exited = once(azurite.process, 'exit');
      azurite.process.kill('SIGKILL');
      await exited;
      expect((await asking).performance_metrics).toMatchObject({
        history_available: true,
        history_saved: false,
      });
      app.emulator.latencyMs = 0;
      await restart();
      const next = await startSession(app);
      expect(await questionsOf(app, next.session_id)).toEqual([next.question]);
    },
  );

  it(
    'is paused: questions are answered without history, and with it after it resumes',
    { tags: ['long', 'posix'] },
    async () => {
      const { session_id, question } = await startSession(app);
      azurite.process.kill('SIGSTOP');
      try {
        const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
        expect(metrics).toMatchObject({ history_available: false, history_saved: false });
        expect(metrics.total_time).toBeLessThan(HANGS_SECONDS);
      } finally {
        azurite.process.kill('SIGCONT');
      }
      expect(await questionsOf(app, session_id)).toEqual([question]);
    },
  );
});
