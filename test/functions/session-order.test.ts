/** The interactions of a session: in the order of asking, in progress, copied and replaced. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Answer, ErrorBody, Session, SessionCopy } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, type TestApp } from '../support/app.ts';
import { useApp, useAppBehindProxy } from '../support/fixture.ts';

const app = useApp(() => ({ env: { WEBSITE_AUTH_ENABLED: 'True' } }));
/** Another instance with the same model and storage. */
const other = useApp(() => ({
  env: { AZURE_OPENAI_ENDPOINT: app.emulator.url, WEBSITE_AUTH_ENABLED: 'True' },
}));

const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': 'aad',
});
const read = (id: string, headers: Record<string, string> = {}, at: Pick<TestApp, 'url'> = app) =>
  fetch(`${at.url}/sessions/${id}`, { headers });
const session = async (id: string, headers = {}): Promise<Session> =>
  (await (await read(id, headers)).json()) as Session;
const questionsOf = ({ chat_history: history }: Pick<Session, 'chat_history'>): string[] =>
  history.filter(({ role }) => role === 'human').map(({ content }) => content);
const codeOf = async (response: Response): Promise<unknown> => [
  response.status,
  ((await response.json()) as ErrorBody).error.code,
];

/** Copies a session, by default all of it. */
const copy = (id: string, body: object = {}, headers: Record<string, string> = {}) =>
  fetch(`${app.url}/sessions/${id}/copy`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** The id of a new session. */
const idOf = async (response: Response): Promise<string> => {
  expect(response.status).toBe(201);
  return ((await response.json()) as SessionCopy).session_id;
};

/** Asks so many questions in a new session. */
async function conversation(count: number, headers?: Record<string, string>) {
  const session_id = randomUUID();
  const answers: Answer[] = [];
  for (let index = 0; index < count; index++)
    answers.push(await ask(app, { question: newQuestion(), session_id }, headers));
  const { chat_history: history } = await session(session_id, headers);
  const positions = answers.map(({ position }) => position ?? '');
  return { session_id, answers, positions, questions: questionsOf({ chat_history: history }) };
}

/** Asks a question that is not answered before `release` is called. */
async function slowly(
  fields: { question: string; session_id: string; new_conversation?: boolean },
  key?: string,
) {
  app.emulator.latencyMs = 1500;
  const before = app.emulator.requests.length;
  const answering = ask(app, fields, key === undefined ? {} : { 'Idempotency-Key': key });
  await eventually(() => app.emulator.requests.length > before);
  app.emulator.latencyMs = 0;
  return answering;
}

describe('the order of a session is that of asking', () => {
  it('also when an earlier question ends later, and on another instance', async () => {
    const { session_id, questions } = await conversation(1);
    const slow = { question: newQuestion(), session_id };
    const fast = { question: newQuestion(), session_id };
    const answering = slowly(slow);
    await eventually(() => app.emulator.requests.length === 2);
    const later = await ask(other, fast);
    expect(questionsOf(later)).toEqual([...questions, fast.question]);
    await answering;
    expect(questionsOf(await session(session_id))).toEqual([...questions, slow.question, fast.question]);
  });
});

describe('a question in progress', () => {
  it('is in its session from the first moment, also when it is the first one', async () => {
    const fields = { question: newQuestion(), session_id: randomUUID() };
    const answering = slowly(fields, 'k');
    await eventually(async () => (await read(fields.session_id)).status === 200);
    for (const at of [app, other]) {
      const found = (await (await read(fields.session_id, {}, at)).json()) as Session;
      expect(found).toMatchObject({ interaction_count: 0, chat_history: [] });
      expect(found.answering).toEqual([
        { key: 'k', question: fields.question, started_at: found.created_at },
      ]);
    }
    await answering;
    const after = await session(fields.session_id);
    expect(after.answering).toEqual([]);
    expect(questionsOf(after)).toEqual([fields.question]);
  });

  it('is no longer in a session that has forgotten its conversation', async () => {
    const { session_id } = await conversation(1);
    const answering = slowly({ question: newQuestion(), session_id }, 'k');
    await eventually(async () => (await session(session_id)).answering?.length === 1);
    await ask(app, { question: newQuestion(), session_id, new_conversation: true });
    expect((await session(session_id)).answering).toEqual([]);
    await answering;
    const anew = slowly({ question: newQuestion(), session_id, new_conversation: true }, 'k2');
    await eventually(async () => (await session(session_id)).answering?.[0]?.key === 'k2');
    await anew;
  });

  it('is in the list of its user from the first moment, unless it fails', async () => {
    const ann = signedIn(`ann ${randomUUID()}`);
    const titles = async (): Promise<unknown> => {
      const { sessions } = (await (await fetch(`${app.url}/sessions`, { headers: ann })).json()) as {
        sessions: { title: string }[];
      };
      return sessions.map(({ title }) => title);
    };
    const fields = { question: newQuestion(), session_id: randomUUID() };
    app.emulator.failNext({ kind: 'hang' });
    const asking = ask(app, fields, { ...ann, 'Idempotency-Key': 'k' });
    await eventually(async () => JSON.stringify(await titles()) === JSON.stringify([fields.question]));
    const address = `${app.url}/sessions/${fields.session_id}/answers/k`;
    await fetch(address, { method: 'DELETE', headers: ann });
    expect((await asking).stopped).toBe(true);
    await eventually(async () => JSON.stringify(await titles()) === '[]');
    await ask(app, { ...fields, question: 'And now?' }, { ...ann, 'Idempotency-Key': 'k2' });
    await eventually(async () => JSON.stringify(await titles()) === '["And now?"]');
  });

  it('that has failed is not in its session', async () => {
    const fields = { question: newQuestion(), session_id: randomUUID() };
    app.emulator.failNext({ kind: 'content_filter' });
    await askForError(app, fields, { 'Idempotency-Key': 'k' });
    await eventually(async () => (await read(fields.session_id)).status === 404);
  });
});

describe('a copy of a session', () => {
  it('has the conversation up to a position, and then a life of its own', async () => {
    const { session_id, positions, questions, answers } = await conversation(3);
    const id = await idOf(await copy(session_id, { before: positions[2] }));
    const edited = newQuestion();
    const { chat_history: history } = await ask(other, { question: edited, session_id: id });
    expect(questionsOf({ chat_history: history })).toEqual([...questions.slice(0, 2), edited]);
    expect(history.slice(0, 4)).toEqual(answers[1]?.chat_history);
    await fetch(`${app.url}/sessions/${session_id}`, { method: 'DELETE' });
    expect(questionsOf(await session(id))).toEqual([...questions.slice(0, 2), edited]);
    expect(questionsOf(await session(await idOf(await copy(id))))).toHaveLength(3);
  });

  it('before the first interaction is a session that nothing is in yet', async () => {
    const { session_id, positions } = await conversation(1);
    const id = await idOf(await copy(session_id, { before: positions[0] }));
    expect((await read(id)).status).toBe(404);
    expect((await ask(app, { question: newQuestion(), session_id: id })).chat_history).toHaveLength(2);
  });

  it('of a session or a position that is not there is a 404, an invalid position a 400', async () => {
    const { session_id, positions } = await conversation(1);
    const { positions: foreign } = await conversation(1);
    expect(await codeOf(await copy(randomUUID()))).toEqual([404, 'session_not_found']);
    expect(await codeOf(await copy(session_id, { before: foreign[0] }))).toEqual([404, 'session_not_found']);
    expect(await codeOf(await copy(session_id, { before: 'x' }))).toEqual([400, 'invalid_request']);
    expect(await codeOf(await copy(session_id, []))).toEqual([400, 'invalid_json']);
    const headers = { 'Content-Type': 'text/plain' };
    expect(await codeOf(await copy(session_id, {}, headers))).toEqual([415, 'unsupported_media_type']);
    await ask(app, { question: newQuestion(), session_id, new_conversation: true });
    expect(await codeOf(await copy(session_id, { before: positions[0] }))).toEqual([
      404,
      'session_not_found',
    ]);
  });

  it('belongs to the user of the session, and is in the list of its sessions', async () => {
    const ann = signedIn(`ann ${randomUUID()}`);
    const { session_id, questions } = await conversation(1, ann);
    expect((await copy(session_id, {}, signedIn('bob'))).status).toBe(404);
    const id = await idOf(await copy(session_id, {}, ann));
    expect((await read(id, signedIn('bob'))).status).toBe(404);
    const { sessions } = (await (await fetch(`${app.url}/sessions`, { headers: ann })).json()) as {
      sessions: { session_id: string; title: string }[];
    };
    expect(sessions[0]).toMatchObject({ session_id: id, title: questions[0] });
  });
});

describe('a question that replaces an interaction', () => {
  it('is answered with the history before it, and takes its place', async () => {
    const { session_id, positions, questions } = await conversation(3);
    const fields = { question: newQuestion(), session_id, replaces: positions[1] };
    const headers = { 'Idempotency-Key': 'k' };
    const answer = await ask(app, fields, headers);
    expect(questionsOf(answer)).toEqual([questions[0], fields.question]);
    expect(answer.position).not.toBe(positions[1]);
    const expected = [questions[0], fields.question, questions[2]];
    expect(questionsOf(await session(session_id))).toEqual(expected);
    // A repeat with its key gives the same, and another replacement is another question.
    expect(await ask(other, fields, headers)).toMatchObject({
      answer: answer.answer,
      position: answer.position,
    });
    const { body } = await askForError(app, { ...fields, replaces: positions[0] }, headers);
    expect(body.error.code).toBe('idempotency_conflict');
    expect(questionsOf(await session(session_id))).toEqual(expected);
  });

  it('is refused when the interaction was replaced meanwhile, before the model is called and after it', async () => {
    const { session_id, positions } = await conversation(2);
    const fields = (question: string) => ({ question, session_id, replaces: positions[1] ?? '' });
    app.emulator.latencyMs = 500;
    const both = [newQuestion(), newQuestion()].map(fields);
    const outcomes = await Promise.allSettled(both.map((one) => ask(app, one)));
    app.emulator.latencyMs = 0;
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const failed = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(failed.reason)).toContain('"code":"interaction_gone"');
    expect((await session(session_id)).interaction_count).toBe(2);
    const calls = app.emulator.requests.length;
    expect((await askForError(app, fields(newQuestion()))).body.error.code).toBe('interaction_gone');
    expect(app.emulator.requests).toHaveLength(calls);
  });

  it('leaves the interaction as it was when it fails, or begins nothing', async () => {
    const { session_id, positions, questions } = await conversation(1);
    const fields = { question: newQuestion(), session_id, replaces: positions[0] };
    app.emulator.failNext({ kind: 'content_filter' });
    expect((await askForError(app, fields)).status).toBe(422);
    for (const wrong of [
      { ...fields, new_conversation: true },
      { ...fields, session_id: undefined },
      { ...fields, replaces: 'x' },
    ])
      expect((await askForError(app, wrong)).body.error.code).toBe('invalid_request');
    expect(questionsOf(await session(session_id))).toEqual(questions);
  });
});

describe('when storage fails', () => {
  const behind = useAppBehindProxy();

  it.each(['throttle', 'lose'] as const)(
    'during a replacement (%s), the old interaction or the new one is there',
    async (fault) => {
      const { session_id, position, answer } = await ask(behind.app, {
        question: newQuestion(),
        session_id: randomUUID(),
      });
      const question = newQuestion();
      behind.proxy.failNext('batch', fault, 2);
      const { performance_metrics: metrics, ...replaced } = await ask(behind.app, {
        question,
        session_id,
        replaces: position,
      });
      expect(metrics.history_saved).toBe(fault === 'lose');
      const found = (await (await read(session_id, {}, behind.app)).json()) as Session;
      expect(found.chat_history[1]?.content).toBe(fault === 'lose' ? replaced.answer : answer);
      expect(found.interaction_count).toBe(1);
    },
  );

  it('a replacement is not begun without the history before it', async () => {
    const { session_id, position } = await ask(behind.app, {
      question: newQuestion(),
      session_id: randomUUID(),
    });
    behind.proxy.failNext('query', 'throttle', 2);
    const fields = { question: newQuestion(), session_id, replaces: position };
    expect((await askForError(behind.app, fields)).body.error.code).toBe('history_unavailable');
  });
});

it('the position of an interaction is the page before it', async () => {
  const { session_id, positions, questions } = await conversation(3);
  const page = await fetch(`${app.url}/sessions/${session_id}?before=${positions[2]}`);
  const older = (await page.json()) as Session;
  expect(questionsOf(older)).toEqual(questions.slice(0, 2));
  expect(older).not.toHaveProperty('answering');
  expect(older.chat_history.map(({ position }) => position)).toEqual([
    positions[0],
    positions[0],
    positions[1],
    positions[1],
  ]);
});
