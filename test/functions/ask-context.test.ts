/** What the model is sent of a long conversation, and what the caller sees of it. */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, askForError, startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
afterEach(() => app.stop());

const tooLong: Fault = { kind: 'status', status: 400, code: 'context_length_exceeded' };
/** How many interactions each request brought. */
const sent = (): number[] =>
  app.emulator.requests.map(({ messages }) => messages.filter(({ role }) => role === 'assistant').length);

it('the newest turns that fit are sent, and all are shown', async () => {
  app = await startApp({ env: { HISTORY_MAX_TOKENS: '130' } });
  const session_id = randomUUID();
  for (let index = 0; index < 5; index++)
    await ask(app, { question: `Question ${index}: ${'word '.repeat(30)}`, session_id });
  const last = await ask(app, { question: 'And now?', session_id });
  expect(last.chat_history).toHaveLength(12);
  // A turn has between 65 and 130 tokens: the words, half of them again in the answer, and what is around them.
  expect(sent()).toEqual([0, 1, 1, 1, 1, 1]);
});

it('none are sent with 0', async () => {
  app = await startApp({ env: { HISTORY_MAX_TOKENS: '0' } });
  const { session_id } = await ask(app, { question: 'My name is Ada.' });
  const next = await ask(app, { question: 'What is my name?', session_id });
  expect([next.answer.includes('Ada'), next.chat_history.length]).toEqual([false, 4]);
});

it('a conversation that is too long for the model is asked again with its newer half, which is not cached', async () => {
  app = await startApp();
  const session_id = randomUUID();
  for (let index = 0; index < 4; index++)
    await ask(app, { question: `${index} ${randomUUID()}`, session_id });
  app.emulator.reset();
  app.emulator.failNext(tooLong);
  const answer = await ask(app, { question: 'And now?', session_id });
  expect(sent()).toEqual([4, 2]);
  expect(answer.chat_history).toHaveLength(10);
  // The same conversation in another session: what was answered to half of it is no answer to the whole.
  const other = randomUUID();
  const turns = answer.chat_history.filter(({ role }) => role === 'human').map(({ content }) => content);
  for (const question of turns.slice(0, -1)) await ask(app, { question, session_id: other });
  const again = await ask(app, { question: 'And now?', session_id: other });
  expect(again.performance_metrics.cache.result).toBe('miss');
});

it('one that is too long all the same is a 413', async () => {
  app = await startApp();
  const { session_id } = await ask(app, { question: 'one' });
  app.emulator.reset();
  app.emulator.failNext(tooLong, tooLong);
  const refused = await askForError(app, { question: 'two', session_id });
  expect([refused.status, refused.body.error.code]).toEqual([413, 'conversation_too_long']);
  expect(sent()).toEqual([1, 0]);
  app.emulator.reset();
  app.emulator.failNext(tooLong);
  expect((await askForError(app, { question: 'three' })).status).toBe(413);
  expect(sent()).toEqual([0]);
});

/** Seconds that a question took beside what others did for it: the model, and the storage. */
const ownTime = ({ performance_metrics: { total_time, timings } }: Answer): number =>
  total_time - timings.model - timings.history_read - timings.history_write;

it('a session full of long texts without blanks makes a short question slow once at most', async () => {
  const session_id = randomUUID();
  app = await startApp({ env: { HISTORY_MAX_TOKENS: '0', MAX_QUESTION_CHARS: '60000' } });
  // Letters that the tokenizer joins one by one: Thai is written without blanks.
  const letters = Array.from({ length: 40 }, (_, index) => String.fromCodePoint(0x0e01 + index));
  for (let turn = 0; turn < 10; turn++) {
    const text = Array.from({ length: 60_000 }, (_, at) => letters[(at * at * 7 + at * turn) % 40]).join('');
    app.emulator.failNext({ kind: 'answer', content: `${turn}` });
    await ask(app, { question: text, session_id });
  }
  await app.stop();
  app = await startApp({ env: { HISTORY_MAX_TOKENS: '1000000' } });
  const first = await ask(app, { question: 'Hi 1', session_id });
  expect(sent()).toEqual([10]);
  const later = [
    await ask(app, { question: 'Hi 2', session_id }),
    await ask(app, { question: 'Hi 3', session_id }),
  ];
  expect(Math.max(...later.map(ownTime))).toBeLessThan(ownTime(first) / 3);
});
