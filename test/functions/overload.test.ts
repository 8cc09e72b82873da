/** Many more questions at once than MODEL_MAX_CONCURRENCY lets through: each is answered, or refused as busy. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Answer, ErrorBody, Session } from '../../src/lib/contract/responses.ts';
import { ask, askForError, newQuestion, post } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

const inNewSession = () => ({ question: newQuestion(), session_id: randomUUID() });

async function chatHistoryOf(sessionId: string): Promise<Session['chat_history']> {
  const response = await fetch(`${app.url}/sessions/${sessionId}`);
  return response.status === 404 ? [] : ((await response.json()) as Session).chat_history;
}

/** Asks, and expects an answer that is right and stored, or `busy` and nothing stored. Returns whether it was answered. */
async function askOrBeRefused(stream: boolean): Promise<boolean> {
  const fields = inNewSession();
  const response = await post(app, JSON.stringify({ ...fields, stream }));
  const body = await response.text();
  if (response.status === 200) {
    const answer = stream ? doneOf(body) : (JSON.parse(body) as Answer);
    expect(answer.answer).toContain(fields.question);
    expect(answer.performance_metrics.history_saved).toBe(true);
    const stored = (await chatHistoryOf(fields.session_id)).map(({ content }) => content);
    expect(stored).toEqual([fields.question, answer.answer]);
    return true;
  }
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
  expect((JSON.parse(body) as ErrorBody).error).toEqual({ code: 'busy', retry_after: 1 });
  expect(await chatHistoryOf(fields.session_id)).toEqual([]);
  return false;
}

const doneOf = (events: string): Answer =>
  JSON.parse(/event: done\ndata: (.*)\n/.exec(events)?.[1] ?? 'null') as Answer;

it('answers as many as the model takes, and refuses the others', { tags: ['long'] }, async () => {
  const limit = 5;
  await app.start({ env: { MODEL_MAX_CONCURRENCY: String(limit) }, emulator: { latencyMs: 1000 } });
  const outcomes = await Promise.all(
    Array.from({ length: 2 * limit * 10 }, (_, index) => askOrBeRefused(index % 4 === 0)),
  );
  const answered = outcomes.filter(Boolean).length;
  expect(answered).toBeGreaterThanOrEqual(2 * limit);
  expect(app.emulator.requests).toHaveLength(answered);
  app.emulator.latencyMs = 0;
  expect((await ask(app, inNewSession())).performance_metrics.history_saved).toBe(true);
});

it('answers cached questions while the model takes no more', { tags: ['long'] }, async () => {
  await app.start({ env: { MODEL_MAX_CONCURRENCY: '1' } });
  const cached = newQuestion();
  await ask(app, { question: cached });
  await fillModel();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(app, { question: cached })));
  expect(new Set(answers.map((each) => each.performance_metrics.cache.result))).toEqual(new Set(['hit']));
  expect((await askForError(app, inNewSession())).body.error.code).toBe('busy');
});

/** With MODEL_MAX_CONCURRENCY=1: one question is at the model for a long time, one waits, and the third is refused. */
async function fillModel(): Promise<void> {
  app.emulator.latencyMs = 50_000;
  const three = Array.from({ length: 3 }, () => post(app, JSON.stringify({ question: newQuestion() })));
  // The other two fail when the app is stopped.
  for (const each of three) each.catch(() => {});
  expect((await Promise.race(three)).status).toBe(503);
}
