/** The part of a long conversation that is sent to the model, and the part that the caller sees. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

const tooLong: Fault = { kind: 'status', status: 400, code: 'context_length_exceeded' };
/** Number of interactions in each request to the model. */
const sent = (): number[] =>
  app.emulator.requests.map(({ messages }) => messages.filter(({ role }) => role === 'assistant').length);

it('sends the newest interactions that fit, and shows all of them', async () => {
  await app.start({ fresh: true, env: { HISTORY_MAX_TOKENS: '130' } });
  const session_id = randomUUID();
  for (let index = 0; index < 5; index++)
    await ask(app, { question: `Question ${index}: ${'word '.repeat(30)}`, session_id });
  const last = await ask(app, { question: 'And now?', session_id });
  expect(last.chat_history).toHaveLength(12);
  // An interaction has 65 to 130 tokens: the question, half of it quoted in the answer, and the answer's own words.
  expect(sent()).toEqual([0, 1, 1, 1, 1, 1]);
});

it('sends no history with HISTORY_MAX_TOKENS 0', async () => {
  await app.start({ fresh: true, env: { HISTORY_MAX_TOKENS: '0' } });
  const { session_id } = await ask(app, { question: 'My name is Ada.' });
  const next = await ask(app, { question: 'What is my name?', session_id });
  expect([next.answer.includes('Ada'), next.chat_history.length]).toEqual([false, 4]);
});

it('a conversation that is too long for the model is retried with the newer half, and not cached', async () => {
  await app.start();
  const session_id = randomUUID();
  for (let index = 0; index < 4; index++)
    await ask(app, { question: `${index} ${randomUUID()}`, session_id });
  app.emulator.reset();
  app.emulator.failNext(tooLong);
  const answer = await ask(app, { question: 'And now?', session_id });
  expect(sent()).toEqual([4, 2]);
  expect(answer.chat_history).toHaveLength(10);
  // The same conversation in another session must not get the answer to half of it from the cache.
  const other = randomUUID();
  const turns = answer.chat_history.filter(({ role }) => role === 'human').map(({ content }) => content);
  for (const question of turns.slice(0, -1)) await ask(app, { question, session_id: other });
  const again = await ask(app, { question: 'And now?', session_id: other });
  expect(again.performance_metrics.cache.result).toBe('miss');
});

it('a conversation that does not fit even then is a 413', { tags: ['long'] }, async () => {
  await app.start();
  const { session_id } = await ask(app, { question: newQuestion() });
  app.emulator.reset();
  app.emulator.failNext(tooLong, tooLong);
  const refused = await askForError(app, { question: newQuestion(), session_id });
  expect([refused.status, refused.body.error.code]).toEqual([413, 'conversation_too_long']);
  expect(sent()).toEqual([1, 0]);
  app.emulator.reset();
  app.emulator.failNext(tooLong);
  expect((await askForError(app, { question: newQuestion() })).status).toBe(413);
  expect(sent()).toEqual([0]);
});

/** Seconds that the app itself took for a question, without the model and the storage. */
const ownTime = ({ performance_metrics: { total_time, timings } }: Answer): number =>
  total_time - timings.model - timings.history_read - timings.history_write;

it(
  'long texts without spaces in the history slow down at most one question',
  { tags: ['long'] },
  async () => {
    const session_id = randomUUID();
    await app.start({ fresh: true, env: { HISTORY_MAX_TOKENS: '0', MAX_QUESTION_CHARS: '60000' } });
    // The worst case for the tokenizer: Thai is written without spaces.
    const letters = Array.from({ length: 40 }, (_, index) => String.fromCodePoint(0x0e01 + index));
    for (let turn = 0; turn < 10; turn++) {
      const text = Array.from({ length: 60_000 }, (_, at) => letters[(at * at * 7 + at * turn) % 40]).join(
        '',
      );
      app.emulator.failNext({ kind: 'answer', content: `${turn}` });
      await ask(app, { question: text, session_id });
    }
    await app.start({ fresh: true, env: { HISTORY_MAX_TOKENS: '1000000' } });
    const first = await ask(app, { question: 'Hi 1', session_id });
    expect(sent()).toEqual([10]);
    // On a busy machine some of them may be slow.
    const later: Answer[] = [];
    for (const question of ['Hi 2', 'Hi 3', 'Hi 4', 'Hi 5'])
      later.push(await ask(app, { question, session_id }));
    expect(Math.min(...later.map(ownTime))).toBeLessThan(ownTime(first) / 3);
  },
);
