/** Answers that are stopped: here, on another instance, before their first text, and before their question. */
import { describe, expect, it } from 'vitest';
import { answerRowKey } from '../../src/lib/history/answer-rows.ts';
import { sessionPartition } from '../../src/lib/history/session-rows.ts';
import { createTableRowStore } from '../../src/lib/history/table-row-store.ts';
import {
  follow,
  followed,
  hasText,
  keyedQuestions,
  LONG,
  readSession,
  stateOf,
  stop,
} from '../support/answers.ts';
import { ask, eventually, newQuestion, post } from '../support/app.ts';
import { useApp, useAppBehindProxy } from '../support/fixture.ts';
import { storage } from '../support/azurite.ts';

const app = useApp(() => ({}));
/** Another instance with the same model and storage. */
const other = useApp(() => ({ env: { AZURE_OPENAI_ENDPOINT: app.emulator.url } }));
/** A third one, with a model of its own. */
const behind = useAppBehindProxy();
const { newKeyed, begin } = keyedQuestions(app);

describe('an answer that is stopped', () => {
  it('keeps what has come, at its place in the session, and is not cached', async () => {
    const { address, fields, response } = await begin();
    const reading = followed(response);
    await eventually(async () => (await followed(await follow(app, address), hasText)).text !== '');
    const stopped = await stop(app, address);
    const { text, done } = await reading;
    expect(stopped).toMatchObject({ state: 'stopped', answer: text, position: done?.position });
    expect(done).toMatchObject({ stopped: true, answer: text, finish_reason: null });
    expect(text.length).toBeGreaterThan(0);
    expect(LONG.startsWith(text) && text.length < LONG.length).toBe(true);
    expect(app.emulator.requests).toMatchObject([{ aborted: true }]);
    expect(await stateOf(other, address)).toEqual(stopped);
    expect((await readSession(other, address.session_id)).chat_history.at(-1)).toMatchObject({
      content: text,
      stopped: true,
    });
    const next = await ask(other, { question: newQuestion(), session_id: address.session_id });
    expect(next.chat_history[1]).toEqual({ role: 'ai', content: text, stopped: true });
    expect(app.emulator.requests.at(-1)?.messages).toContainEqual({ role: 'assistant', content: text });
    app.emulator.reset();
    const elsewhere = await ask(app, { question: fields.question });
    expect(elsewhere.performance_metrics.cache.result).toBe('miss');
  });

  it('by another instance ends within seconds', async () => {
    const { address, response } = await begin(newKeyed(), 200);
    const reading = followed(response);
    const stopped = await stop(other, address);
    const { text, done } = await reading;
    expect(stopped).toMatchObject({ state: 'stopped', answer: text });
    expect(done).toMatchObject({ stopped: true, answer: text });
    expect(LONG.length).toBeGreaterThan(text.length);
    expect(app.emulator.requests).toMatchObject([{ aborted: true }]);
  });

  it('by another instance while it is being stored is stored as stopped', async () => {
    const { address, fields, headers } = newKeyed();
    const store = await createTableRowStore({ connectionString: storage, tableName: 'sessions' });
    const partition = sessionPartition({ userId: null, sessionId: address.session_id });
    behind.proxy.failNext('batch', 'hold');
    const asking = ask(behind.app, fields, headers);
    await eventually(() => behind.proxy.requests.some(({ kind }) => kind === 'batch'));
    const stopping = stop(other, address);
    await eventually(async () => {
      const row = await store.get(partition, answerRowKey(address.key));
      return row?.properties['stop'] === true;
    });
    behind.proxy.release();
    const { answer, stopped } = await asking;
    expect(stopped).toBe(true);
    expect(await stopping).toMatchObject({ state: 'stopped', answer });
    expect((await readSession(other, address.session_id)).chat_history).toMatchObject([
      { content: fields.question },
      { content: answer, stopped: true },
    ]);
  });

  it('before its first text is not stored, and its asker learns that it was stopped', async () => {
    app.emulator.failNext({ kind: 'hang' });
    const { address, fields, headers } = newKeyed();
    const asking = ask(app, fields, headers);
    await eventually(() => app.emulator.requests.length === 1);
    expect(await stop(app, address)).toMatchObject({ state: 'stopped', question: fields.question });
    const answer = await asking;
    expect(answer).toMatchObject({ answer: '', stopped: true, chat_history: [] });
    expect(answer).not.toHaveProperty('position');
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await eventually(async () => (await stateOf(other, address)).state === 'stopped');
    expect(await ask(other, fields, headers)).toMatchObject({ answer: '', stopped: true });
    expect((await fetch(`${app.url}/sessions/${address.session_id}`)).status).toBe(404);
  });

  it('before its question comes is not asked', async () => {
    const { address, ask: send } = newKeyed();
    expect(await stop(other, address)).not.toHaveProperty('question');
    expect(await send(app)).toMatchObject({ answer: '', stopped: true });
    expect(app.emulator.requests).toEqual([]);
  });

  it('after its end stays as it is', async () => {
    const { address, ask: send } = newKeyed();
    const { answer } = await send();
    for (const at of [app, other])
      expect(await stop(at, address)).toMatchObject({ state: 'answered', answer });
  });

  it('goes on for others who ask the same, whose answer is whole and cached', async () => {
    const { address, fields, response } = await begin();
    const asked = followed(response);
    const shared = await post(app, JSON.stringify({ question: fields.question, stream: true }));
    const sharing = followed(shared);
    await stop(app, address);
    expect((await asked).done?.stopped).toBe(true);
    expect((await sharing).text).toBe(LONG);
    expect(app.emulator.requests).toMatchObject([{ aborted: false }]);
    const cached = await ask(app, { question: fields.question });
    expect(cached).toMatchObject({ answer: LONG, performance_metrics: { cache: { result: 'hit' } } });
  });
});

describe('an answer whose session is deleted', () => {
  it.each([
    ['here', true, () => app],
    ['here, without a key', false, () => app],
    ['on another instance', true, () => other],
  ])('is stopped and not stored: %s', async (_, hasKey, deleting) => {
    const { address, fields, headers } = newKeyed();
    app.emulator.tokenDelayMs = 200;
    app.emulator.failNext({ kind: 'answer', content: LONG });
    const body = JSON.stringify({ ...fields, stream: true });
    const response = await post(app, body, hasKey ? headers : {});
    const started = Promise.withResolvers<void>();
    const reading = followed(response, (so) => {
      if (hasText(so)) started.resolve();
      return false;
    });
    await started.promise;
    const path = `/sessions/${address.session_id}`;
    expect((await fetch(deleting().url + path, { method: 'DELETE' })).status).toBe(204);
    const { done } = await reading;
    expect(done).toMatchObject({ stopped: true, performance_metrics: { history_saved: false } });
    expect(done?.position).toBeUndefined();
    expect(app.emulator.requests).toMatchObject([{ aborted: true }]);
    expect((await fetch(app.url + path)).status).toBe(404);
  });
});
