/** Answers at their addresses: their state, their text from any point on, and their stop, on the same and on other instances. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import { answerRowKey } from '../../src/lib/history/answer-rows.ts';
import { sessionPartition } from '../../src/lib/history/session-rows.ts';
import { createTableRowStore } from '../../src/lib/history/table-row-store.ts';
import type { Environment } from '../../src/lib/config/config.ts';
import type { ErrorBody, Session } from '../../src/lib/contract/responses.ts';
import {
  type Address,
  addressOf,
  follow,
  followed,
  type Followed,
  stateOf,
  stop,
} from '../support/answers.ts';
import { useApp, useAppBehindProxy, useFreshApp } from '../support/fixture.ts';
import { isFull } from '../support/effort.ts';
import { ask, askForError, eventually, newQuestion, post, type TestApp } from '../support/app.ts';

const app = useApp(() => ({ env: { WEBSITE_AUTH_ENABLED: 'True' } }));
/** Another instance with the same model and storage. */
const other = useApp(() => ({
  env: { AZURE_OPENAI_ENDPOINT: app.emulator.url, WEBSITE_AUTH_ENABLED: 'True' },
}));
/** A third one, for one test. */
const third = useFreshApp();
const startThird = (env: Environment = {}): Promise<void> =>
  third.start({ env: { AZURE_OPENAI_ENDPOINT: app.emulator.url, ...env } });

/** A fourth one, with a model of its own. */
const behind = useAppBehindProxy();

const LONG = Array.from({ length: 60 }, (_, index) => `wörd${index}💥`).join(' ');

/** A new question, its key, and how to send it. */
function newKeyed(session_id: string = randomUUID()) {
  const fields = { question: newQuestion(), session_id };
  const address: Address = { session_id, key: `key ${randomUUID()}` };
  const headers = { 'Idempotency-Key': address.key };
  return {
    fields,
    address,
    headers,
    ask: (at: TestApp = app) => ask(at, fields, headers),
    stream: (more: Record<string, string> = {}, at: TestApp = app) =>
      post(at, JSON.stringify({ ...fields, stream: true }), { ...headers, ...more }),
  };
}

/** Answers the next question with a long text, a piece each `ms` milliseconds. */
function answerSlowly(ms = 20): void {
  app.emulator.tokenDelayMs = ms;
  app.emulator.failNext({ kind: 'answer', content: LONG });
}

/** Sends a question whose long answer has begun when this resolves. */
async function begin(keyed = newKeyed(), ms = 20, at: TestApp = app) {
  answerSlowly(ms);
  const response = await keyed.stream({}, at);
  return { ...keyed, response };
}

const hasText = ({ text }: Followed): boolean => text.length > 0;
const readSession = async (at: TestApp, id: string): Promise<Session> =>
  (await (await fetch(`${at.url}/sessions/${id}`)).json()) as Session;

/** Sends the question of an answer in progress again. */
async function repeat(address: Address): Promise<Response> {
  const { question = '' } = await stateOf(app, address);
  const body = JSON.stringify({ question, session_id: address.session_id, stream: true });
  const response = await post(app, body, { 'Idempotency-Key': address.key });
  expect(response.headers.get('idempotency-replayed')).toBe('true');
  return response;
}

describe('the state of an answer', () => {
  it('is answering, then answered, on every instance', async () => {
    const { address, fields, response } = await begin();
    for (const at of [app, other]) {
      const state = await stateOf(at, address);
      expect(state).toEqual({
        state: 'answering',
        session_id: address.session_id,
        key: address.key,
        question: fields.question,
        started_at: expect.any(String) as string,
      });
    }
    const { done } = await followed(response);
    const { chat_history: history } = await readSession(app, address.session_id);
    expect(new Set(history.map(({ position }) => position))).toEqual(new Set([done?.position]));
    for (const at of [app, other]) {
      expect(await stateOf(at, address)).toMatchObject({
        state: 'answered',
        question: fields.question,
        answer: LONG,
        position: done?.position,
      });
    }
  });

  it('is unknown for another key, another session, another user, and after the session was deleted', async () => {
    const { address, ask: send } = newKeyed();
    await send();
    const user = {
      'x-ms-client-principal-id': 'ann',
      'x-ms-client-principal-idp': 'aad',
    };
    for (const [where, headers] of [
      [{ ...address, key: 'x' }, {}],
      [{ ...address, session_id: randomUUID() }, {}],
      [address, user],
    ] as const) {
      for (const accept of ['application/json', 'text/event-stream']) {
        const response = await fetch(addressOf(app, where), { headers: { Accept: accept, ...headers } });
        expect(response.status).toBe(404);
        expect(((await response.json()) as ErrorBody).error.code).toBe('answer_not_found');
      }
    }
    await fetch(`${app.url}/sessions/${address.session_id}`, { method: 'DELETE' });
    await expect(stateOf(other, address)).rejects.toThrow('answer_not_found');
  });

  it('is failed with the code of the error, and a repeat asks again', async () => {
    const { address, fields, headers, ask: send } = newKeyed();
    app.emulator.failNext({ kind: 'content_filter' });
    expect((await askForError(app, fields, headers)).status).toBe(422);
    await eventually(async () => (await stateOf(other, address)).state === 'failed');
    expect(await stateOf(app, address)).toMatchObject({
      question: fields.question,
      status: expect.stringContaining('content filter') as string,
      error: { code: 'content_filtered' },
    });
    const refused = await follow(other, address);
    expect([refused.status, ((await refused.json()) as ErrorBody).error.code]).toEqual([
      422,
      'content_filtered',
    ]);
    const { answer } = await send(other);
    expect(await stateOf(app, address)).toMatchObject({ state: 'answered', answer });
  });

  it('is at an address with any key that a header and an address can have', async () => {
    const { fields } = newKeyed();
    for (const key of ['a/b', 'a b?#&+\\', '%', "'", 'x'.repeat(255)]) {
      await ask(app, fields, { 'Idempotency-Key': key });
      expect(await stateOf(app, { ...fields, key })).toMatchObject({ state: 'answered', key });
    }
    for (const key of ['.', '..', 'a%2Fb', 'a%5cb', 'x'.repeat(256)]) {
      const { status, body } = await askForError(app, fields, { 'Idempotency-Key': key });
      expect([status, body.error.code]).toEqual([400, 'invalid_request']);
    }
    const invalid = await fetch(addressOf(app, { ...fields, key: 'x'.repeat(256) }));
    expect(invalid.status).toBe(400);
  });
});

describe('the stream of an answer', () => {
  it('has all text so far, then what comes, then the state; ids are offsets in the text', async () => {
    const { address, response } = await begin();
    const [first, late, repeated] = await Promise.all([
      followed(response),
      followed(await follow(app, address)),
      followed(await repeat(address)),
    ]);
    for (const { text, lastId, offset } of [first, late, repeated])
      expect({ text, lastId, offset }).toEqual({ text: LONG, lastId: String(LONG.length), offset: 0 });
    expect(late.done).toMatchObject({ state: 'answered', answer: LONG, position: first.done?.position });
    expect(repeated.done).toMatchObject({ answer: LONG, position: first.done?.position });
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('goes on after its asker has disconnected, and continues after Last-Event-ID on any instance', async () => {
    const { address, response } = await begin();
    const { text, lastId } = await followed(response, hasText);
    const rest = await Promise.all(
      [app, other].map(async (at) => followed(await follow(at, address, { after: lastId }))),
    );
    for (const { text: more, done } of rest) {
      expect(text + more).toBe(LONG);
      expect(done).toMatchObject({ state: 'answered', answer: LONG });
    }
    const again = await followed(await follow(other, address, { after: LONG.length }));
    expect([again.text, again.done?.answer]).toEqual(['', LONG]);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('of a repeat on another instance waits for the text, and then gives all of it', async () => {
    const { response, stream } = await begin();
    const [first, elsewhere] = await Promise.all([followed(response), followed(await stream({}, other))]);
    expect(elsewhere.text).toBe(LONG);
    expect(elsewhere.done?.position).toBe(first.done?.position);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('is refused after an id that is none', async () => {
    const { address, fields, headers, ask: send } = newKeyed();
    await send();
    expect((await follow(app, address, { after: '1.5' })).status).toBe(400);
    const refused = await askForError(app, fields, { ...headers, 'Last-Event-ID': '-1' });
    expect(refused.body.status).toContain('Last-Event-ID');
  });
});

async function wholeStream() {
  const body = await (await newKeyed().stream()).text();
  return { text: (await followed(new Response(body))).text, length: Buffer.byteLength(body) };
}

/** Reads a response until it has sent `bytes` bytes, and gives what was complete by then. */
async function readCut(response: Response, bytes: number): Promise<Followed & { whole: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= bytes) break;
  }
  const cut = Buffer.concat(chunks).subarray(0, bytes);
  return { ...(await followed(new Response(cut))), whole: size < bytes };
}

it(
  'a connection that is cut after any byte of the stream loses and doubles no character',
  { timeout: 240_000 },
  async () => {
    const content = 'A💥 \n"é" of 12 pieces, each with a few words';
    app.emulator.fault = { kind: 'answer', content };
    app.emulator.tokenDelayMs = 5;
    const { text, length } = await wholeStream();
    expect(text).toBe(content);
    const cuts = Array.from({ length: length + 1 }, (_, bytes) => bytes);
    const chosen = isFull ? cuts : fc.sample(fc.constantFrom(...cuts), 60);
    for (let start = 0; start < chosen.length; start += 20) {
      await Promise.all(chosen.slice(start, start + 20).map(comeBack));
    }

    async function comeBack(bytes: number): Promise<void> {
      const { address, stream } = newKeyed();
      const response = await stream();
      expect(response.status, response.ok ? '' : await response.text()).toBe(200);
      const shown = await readCut(response, bytes);
      const at = bytes % 2 === 0 ? app : other;
      const rest = await followed(await follow(at, address, { after: shown.lastId }));
      expect(shown.text + rest.text, `after ${bytes} bytes`).toBe(content);
      expect(rest.done).toMatchObject({ state: 'answered', answer: content });
    }
  },
);

describe('the process that answers', () => {
  it(
    'dies: the state says so within the lease, and a repeat asks again',
    { tags: ['long', 'posix'] },
    async () => {
      await startThird();
      const { address, response, ask: send } = await begin(newKeyed(), 200, third);
      const reading = followed(response, hasText);
      expect((await reading).text).not.toBe('');
      third.host.process.kill('SIGKILL');
      expect((await stateOf(app, address)).state).toBe('answering');
      // A follower waits for the end of the lease, which is renewed for 15 s at a time.
      const left = await follow(app, address);
      // Headers are sent after 15 s.
      const failure = left.ok ? (await followed(left)).error : ((await left.json()) as ErrorBody);
      expect(failure?.error.code).toBe('interrupted');
      expect(await stateOf(other, address)).toMatchObject({
        state: 'failed',
        error: { code: 'interrupted' },
      });
      app.emulator.reset();
      const { answer } = await send(other);
      expect(await stateOf(app, address)).toMatchObject({ state: 'answered', answer });
      expect((await readSession(app, address.session_id)).interaction_count).toBe(1);
      expect(app.emulator.requests).toHaveLength(1);
    },
  );

  it('with FINISH_ABANDONED=off goes on while somebody follows the answer, and not longer', async () => {
    await startThird({ FINISH_ABANDONED: 'off' });
    const { address, response } = await begin(newKeyed(), 50, third);
    const following = await follow(third, address);
    const { text } = await followed(response, hasText);
    const { text: all } = await followed(following, (so) => so.text.length > 2 * text.length);
    expect(LONG.startsWith(all)).toBe(true);
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await eventually(async () => (await stateOf(app, address)).error?.code === 'interrupted');
  });
});

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
    const store = await createTableRowStore({ connectionString: inject('storage'), tableName: 'sessions' });
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
