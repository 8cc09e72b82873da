/** Answers at their addresses: their state, and their text from any point on, on the same and on other instances. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../src/lib/config/config.ts';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';
import {
  type Address,
  addressOf,
  follow,
  followed,
  type Followed,
  hasText,
  keyedQuestions,
  LONG,
  readSession,
  stateOf,
} from '../support/answers.ts';
import { useApp, useFreshApp } from '../support/fixture.ts';
import { isFull } from '../support/effort.ts';
import { ask, askForError, eventually, post } from '../support/app.ts';

const app = useApp(() => ({ env: { WEBSITE_AUTH_ENABLED: 'True' } }));
/** Another instance with the same model and storage. */
const other = useApp(() => ({
  env: { AZURE_OPENAI_ENDPOINT: app.emulator.url, WEBSITE_AUTH_ENABLED: 'True' },
}));
/** A third one, for one test. */
const third = useFreshApp();
const startThird = (env: Environment = {}): Promise<void> =>
  third.start({ env: { AZURE_OPENAI_ENDPOINT: app.emulator.url, ...env } });

const { newKeyed, begin } = keyedQuestions(app);

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
    // The app learns the last id only, of which there are few: follow-answer.test.ts cuts the page's reader after every byte.
    const chosen = fc.sample(fc.constantFrom(...cuts), isFull ? 150 : 60);
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
