/** The main features of POST /ask. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ask, post, startApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const app = useApp();

/** A question that no other test asks, so that no cached answer exists. */
const newQuestion = (): string => `What is the meaning of ${randomUUID()}?`;
const lastPrompt = () => app.emulator.requests.at(-1)?.messages.slice(1);

describe('a conversation', () => {
  it('starts with a question alone: the answer has a new session id', async () => {
    const answer = await ask(app, { question: 'What is the capital of France?' });
    expect(answer.status).toBe('success');
    expect(answer.answer).toContain('Paris');
    expect(answer.session_id).toMatch(UUID);
    expect(answer.chat_history).toEqual([
      { role: 'human', content: 'What is the capital of France?' },
      { role: 'ai', content: answer.answer },
    ]);
  });

  it('continues with the session id: the model receives the earlier interactions', async () => {
    const first = await ask(app, { question: 'What is the capital of France?' });
    const second = await ask(app, { question: 'What about Spain?', session_id: first.session_id });
    expect(second.answer).toContain('Madrid');
    expect(second.session_id).toBe(first.session_id);
    expect(lastPrompt()).toEqual([
      { role: 'user', content: 'What is the capital of France?' },
      { role: 'assistant', content: first.answer },
      { role: 'user', content: 'What about Spain?' },
    ]);
    expect(second.chat_history).toHaveLength(4);
  });

  it('is reset with new_conversation', async () => {
    const { session_id } = await ask(app, { question: newQuestion() });
    await ask(app, { question: newQuestion(), session_id });
    const fresh = await ask(app, { question: 'Hi there', session_id, new_conversation: true });
    expect(fresh.session_id).toBe(session_id);
    expect(fresh.chat_history).toHaveLength(2);
    const next = await ask(app, { question: newQuestion(), session_id });
    expect(next.chat_history).toHaveLength(4);
    expect(next.chat_history[0]).toEqual({ role: 'human', content: 'Hi there' });
  });

  it('is separate from other conversations', async () => {
    const [ann, bob] = await Promise.all([
      ask(app, { question: 'My name is Ann.' }),
      ask(app, { question: 'My name is Bob.' }),
    ]);
    const [toAnn, toBob] = await Promise.all([
      ask(app, { question: 'What is my name?', session_id: ann.session_id }),
      ask(app, { question: 'What is my name?', session_id: bob.session_id }),
    ]);
    expect(toAnn.answer).toContain('Ann');
    expect(toBob.answer).toContain('Bob');
    expect(JSON.stringify(toAnn.chat_history)).not.toContain('Bob');
    expect(JSON.stringify(toBob.chat_history)).not.toContain('Ann');
  });

  it('keeps the last 10 interactions: the eleventh drops the first', async () => {
    const session_id = randomUUID();
    const questions = Array.from({ length: 16 }, (_, index) => `Question ${index + 1} of ${session_id}`);
    for (const question of questions.slice(0, 10)) await ask(app, { question, session_id });
    const eleventh = await ask(app, { question: questions[10] ?? '', session_id });
    expect(eleventh.chat_history).toHaveLength(20);
    expect(eleventh.chat_history[0]?.content).toBe(questions[1]);
    for (const question of questions.slice(11)) await ask(app, { question, session_id });
    // The prompt of a long conversation has the last 10 to 14, so that it begins as the one before.
    const sentQuestions = lastPrompt()?.filter((message) => message.role === 'user');
    expect(sentQuestions?.map((message) => message.content)).toEqual(questions.slice(5));
  });

  it('survives a restart: another instance continues it', async () => {
    const first = await ask(app, { question: 'My name is Cleo.' });
    const other = await startApp();
    try {
      const answer = await ask(other, { question: 'What is my name?', session_id: first.session_id });
      expect(answer.answer).toContain('Cleo');
    } finally {
      await other.stop();
    }
  });
});

describe('the cache', () => {
  it('answers a repeated question without a model call', async () => {
    const question = newQuestion();
    const first = await ask(app, { question });
    const second = await ask(app, { question });
    expect(first.performance_metrics).toMatchObject({
      from_cache: false,
      cache: { result: 'miss', tier: null },
    });
    expect(second.performance_metrics).toMatchObject({
      from_cache: true,
      api_call_time: 0,
      connection_reused: false,
      connection: null,
      cache: { result: 'hit', tier: 'memory' },
      tokens: { prompt: 0, completion: 0 },
    });
    const { prompt, completion } = first.performance_metrics.tokens;
    expect(second.performance_metrics.tokens.saved).toBe(prompt + completion);
    expect(second.answer).toBe(first.answer);
    expect(second.session_id).not.toBe(first.session_id);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('never answers a follow-up from another conversation', async () => {
    const france = await ask(app, { question: 'What is the capital of France?' });
    const pets = await ask(app, { question: 'I like dogs.' });
    const about = { question: 'What about Spain?' };
    const afterFrance = await ask(app, { ...about, session_id: france.session_id });
    const afterPets = await ask(app, { ...about, session_id: pets.session_id });
    expect(afterFrance.answer).toContain('Madrid');
    expect(afterPets.answer).not.toContain('Madrid');
    expect(afterPets.performance_metrics.from_cache).toBe(false);
  });

  it('reports its use in a header', async () => {
    const body = JSON.stringify({ question: newQuestion() });
    expect((await post(app, body)).headers.get('x-cache')).toBe('MISS');
    expect((await post(app, body)).headers.get('x-cache')).toBe('HIT');
  });

  it('does not store a truncated answer', async () => {
    const question = newQuestion();
    app.emulator.failNext({ kind: 'answer', content: 'Half an', finishReason: 'length' });
    expect((await ask(app, { question })).answer).toBe('Half an');
    const again = await ask(app, { question });
    expect(again.performance_metrics.from_cache).toBe(false);
    expect(again.answer).not.toBe('Half an');
  });
});

describe('any text', () => {
  it.each([
    ['emoji', 'What does 👩‍👩‍👧‍👦 mean? 🇫🇷'],
    ['right-to-left text', 'ما هي عاصمة فرنسا؟ ‏שלום'],
    ['NUL and other control characters', 'a\u0000b\u0001c\u001fd'],
    ['surrounding whitespace', '  spaced \n'],
  ])('is passed to the model and returned unchanged: %s', async (_, text) => {
    const question = `${text}${randomUUID()}${text}`;
    const first = await ask(app, { question });
    expect(lastPrompt()?.at(-1)?.content).toBe(question);
    const next = await ask(app, { question: newQuestion(), session_id: first.session_id });
    expect(next.chat_history[0]?.content).toBe(question);
  });

  it.each(['../../etc', 'a/b#c?d', 'é'.repeat(256), "o'hara; drop--", '💥', ' ', 'null'])(
    'can be a session id: %s',
    async (name) => {
      const session_id = name.length === 256 ? name : `${name}${randomUUID()}`;
      await ask(app, { question: 'My name is Dora.', session_id, new_conversation: true });
      const answer = await ask(app, { question: 'What is my name?', session_id });
      expect(answer.session_id).toBe(session_id);
      expect(answer.answer).toContain('Dora');
    },
  );

  it('of 32,000 characters is stored whole', async () => {
    const question = `${randomUUID()} ${'𝒳é'.repeat(10_600)}`;
    const first = await ask(app, { question });
    const next = await ask(app, { question: newQuestion(), session_id: first.session_id });
    expect(next.chat_history[0]?.content).toBe(question);
  });
});

it('reports times and tokens that add up', async () => {
  app.emulator.latencyMs = 50;
  const { session_id } = await ask(app, { question: newQuestion() });
  const response = await post(app, JSON.stringify({ question: newQuestion(), session_id }));
  const { performance_metrics: metrics } = (await response.json()) as Awaited<ReturnType<typeof ask>>;
  const { timings } = metrics;
  expect(metrics.api_call_time).toBe(timings.model);
  // The emulator's timer may fire slightly early.
  expect(timings.model).toBeGreaterThan(0.045);
  const parts = timings.history_read + timings.cache_lookup + timings.model + timings.history_write;
  expect(parts).toBeLessThanOrEqual(metrics.total_time);
  expect(timings.time_to_first_token).toBeGreaterThanOrEqual(timings.model);
  expect(timings.history_read).toBeGreaterThan(0);
  expect(timings.history_write).toBeGreaterThan(0);
  expect(metrics.tokens.prompt).toBeGreaterThan(0);
  expect(metrics).toMatchObject({ history_available: true, history_saved: true });
  expect(metrics.invocation).toBe(response.headers.get('x-request-id'));
  expect(response.headers.get('server-timing')).toMatch(/model;dur=\d+.*total;dur=\d+/);
});
