/** The log has one line for each question, without the content of the conversation. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { ask, askForError, eventually, post, startApp, type TestApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const SECRET = 'sesame-7f3a';

const app = useApp({ emulator: { apiKey: `${SECRET}-key` } });

interface Line {
  event: string;
  outcome: string;
  invocation: string;
  [name: string]: unknown;
}

/** The log lines of the questions so far. */
function lines(from: TestApp): Line[] {
  const found = from.output().match(/\{"event":"question".*\}/g) ?? [];
  return found.map((line) => JSON.parse(line) as Line);
}

/** The log line of the question that `act` asks. */
async function lineOf(act: () => Promise<unknown>): Promise<Line> {
  const before = lines(app).length;
  await act();
  await eventually(() => lines(app).length > before);
  expect(lines(app)).toHaveLength(before + 1);
  return lines(app).at(-1) ?? expect.unreachable();
}

it('has the source, the timings and the cost of an answer, and the trace id of the caller', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const question = `What is ${randomUUID()}?`;
  const traceparent = `00-${trace}-b7ad6b7169203331-01`;
  const first = await lineOf(() => ask(app, { question, session_id: 'log-tour' }, { traceparent }));
  expect(first).toMatchObject({
    outcome: 'answered',
    trace,
    cache: 'miss',
    attempts: 1,
    streamed: false,
    history_saved: true,
    timings: { model: expect.any(Number) as number },
    tokens: { prompt: expect.any(Number) as number },
  });
  const second = await lineOf(() => ask(app, { question, session_id: randomUUID() }));
  expect(second).toMatchObject({ cache: 'hit', tier: 'memory', attempts: 0, cold_start: false });
  expect(second['session']).not.toBe(first['session']);
});

it('has a line for a stream and for an error', async () => {
  const stream = () =>
    post(app, JSON.stringify({ question: randomUUID(), stream: true })).then((answer) => answer.text());
  expect(await lineOf(stream)).toMatchObject({ outcome: 'answered', streamed: true });
  app.emulator.failNext({ kind: 'content_filter' });
  expect(await lineOf(() => askForError(app, { question: randomUUID() }))).toMatchObject({
    outcome: 'content_filtered',
  });
  expect(await lineOf(() => askForError(app, '{"question": 1}'))).toMatchObject({
    outcome: 'invalid_request',
  });
});

it('never contains a question, an answer, a session id, a user, a key or an error message of the model', async () => {
  const fields = { question: `Repeat ${SECRET}-question`, session_id: `${SECRET}-session` };
  const headers = { 'Idempotency-Key': `${SECRET}-idempotency`, 'x-functions-key': `${SECRET}-function` };
  const answer = await ask(app, fields, headers);
  expect(answer.answer).toContain(SECRET);
  for (const status of [400, 401, 429, 500, 500, 500]) {
    app.emulator.failNext({ kind: 'status', status, message: `${SECRET}-upstream` });
    await post(app, JSON.stringify({ ...fields, question: `${SECRET} ${randomUUID()}` }));
  }
  app.emulator.failNext({ kind: 'break' });
  await (await post(app, JSON.stringify({ ...fields, question: `${SECRET} stream`, stream: true }))).text();
  await askForError(app, `{"question": "${SECRET}`);
  await fetch(`${app.url}/sessions/${SECRET}-session`, { method: 'DELETE' });
  await eventually(() => lines(app).some(({ outcome }) => outcome === 'invalid_json'));
  expect(app.output()).not.toContain(SECRET);
});

it('has no lines below LOG_LEVEL', async () => {
  const quiet = await startApp({ env: { LOG_LEVEL: 'error' } });
  try {
    await ask(quiet, { question: 'What is the capital of France?' });
    quiet.emulator.failNext({ kind: 'status', status: 401 });
    await askForError(quiet, { question: randomUUID() });
    await eventually(() => quiet.output().includes('model_misconfigured'));
    expect(lines(quiet)).toEqual([]);
  } finally {
    await quiet.stop();
  }
});
