/** OpenAI-compatible servers that are not Azure's: a URL is all that changes. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ask, askForError, eventually, newQuestion, post } from '../support/app.ts';
import { optionsFor, useOtherServer } from '../support/other-server.ts';
import { streamFrom } from '../support/streamed.ts';

const { app, server, start } = useOtherServer();

it('answers, follows up, streams and caches, without a key and over HTTP', async () => {
  await start({});
  const session_id = randomUUID();
  const first = await ask(app, { question: 'What is the capital of France?', session_id });
  const { done, tokens } = await streamFrom(app, { question: 'What about Spain?', session_id });
  const cached = await ask(app, { question: 'What is the capital of France?' });
  expect(first.answer).toBe('The capital of France is Paris.');
  expect(tokens.join('')).toBe('The capital of Spain is Madrid.');
  expect(first.performance_metrics.tokens).toMatchObject({
    prompt: 20,
    completion: 8,
    cached: 0,
    reasoning: 0,
  });
  expect(done?.performance_metrics.tokens).toMatchObject({ prompt: 20, completion: 8 });
  expect(first.performance_metrics.connection?.protocol).toBe('h1');
  expect(done?.performance_metrics.connection_reused).toBe(true);
  expect(cached.performance_metrics.from_cache).toBe(true);
  expect(server.requests.map(({ model }) => model)).toEqual(['llama3.2', 'llama3.2']);
  expect(server.headers.map((headers) => headers.authorization ?? headers['api-key'])).toEqual([
    undefined,
    undefined,
  ]);
});

it('sends the key when there is one', { tags: ['long'] }, async () => {
  await start({}, { AZURE_OPENAI_API_KEY: 'local-key' });
  await ask(app, { question: 'Hi' });
  expect(server.headers.map(({ authorization }) => authorization)).toEqual(['Bearer local-key']);
});

it('streams without token counts from a server that does not know stream_options', async () => {
  await start({ refusesStreamOptions: true });
  for (const question of ['Hi', 'Hello']) {
    const { done } = await streamFrom(app, { question });
    expect(done?.answer).toBe('Hello! How can I help you today?');
    expect(done?.performance_metrics.tokens).toMatchObject({ prompt: 0, completion: 0 });
  }
  expect(server.requests).toHaveLength(3);
  expect(app.output()).toContain('stream_options');
});

it(
  'explains a model that the server does not have, whatever its errors look like',
  { tags: ['long'] },
  async () => {
    await start({ model: 'mistral' });
    const failed = await askForError(app, { question: 'Hi' });
    expect([failed.status, failed.body.error.code]).toEqual([502, 'model_misconfigured']);
    expect(app.output()).toContain('AZURE_OPENAI_CHAT_DEPLOYMENT_NAME');
  },
);

describe('a slow server', () => {
  it('has the whole time limit for a plain answer', async () => {
    await start({ generateMs: 3700 }, { REQUEST_TIMEOUT_SECONDS: '5' });
    const { performance_metrics: metrics } = await ask(app, { question: newQuestion() });
    expect(metrics.connection?.attempts).toBe(1);
  });

  it('with one slot answers eight questions, one after the other', { tags: ['long'] }, async () => {
    await start({ slots: 1, generateMs: 700 }, { REQUEST_TIMEOUT_SECONDS: '12' });
    const asked = Array.from({ length: 8 }, () => ask(app, { question: newQuestion() }));
    const answers = await Promise.all(asked);
    expect(answers.map(({ performance_metrics: { connection } }) => connection?.attempts)).toEqual(
      Array.from({ length: 8 }, () => 1),
    );
    expect(server.requests).toHaveLength(8);
  });

  it('whose queue is longer than the time limit does not open the circuit breaker', async () => {
    await start({ slots: 1, generateMs: 600 }, { REQUEST_TIMEOUT_SECONDS: '3' });
    const codes = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const response = await post(app, JSON.stringify({ question: newQuestion() }));
        return response.status;
      }),
    );
    expect(new Set(codes)).toEqual(new Set([200, 504]));
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    expect(app.output()).not.toContain('circuit breaker is open');
  });
});

it('is kept warm by the list of its models, on the connection of the questions', async () => {
  await start({}, { KEEP_WARM_MINUTES: '5' });
  await eventually(() => server.paths.length > 0);
  const { performance_metrics: metrics } = await ask(app, { question: newQuestion() });
  expect(server.paths).toEqual(['/v1/models', '/v1/chat/completions']);
  expect(metrics).toMatchObject({ connection_reused: true, connection: { id: 1 } });
});

const headers = (value: string) => ({ MODEL_HEADERS: `{"X-Portkey-Config": "${value}"}` });

it('gets MODEL_HEADERS, which are part of the cache key and never logged', async () => {
  const question = newQuestion();
  const ANSWER_CACHE_PATH = join(mkdtempSync(join(tmpdir(), 'ask-headers-')), 'answers.sqlite');
  await start({}, { ...headers('pc-secret'), ANSWER_CACHE_PATH });
  await ask(app, { question });
  await eventually(async () => (await ask(app, { question })).performance_metrics.from_cache);
  server.next({ status: 401, body: 'Invalid config passed' });
  await askForError(app, { question: newQuestion() });
  expect(server.headers[0]?.['x-portkey-config']).toBe('pc-secret');
  expect(app.output()).not.toContain('pc-secret');
  await app.start({ fresh: true, ...optionsFor(server, { ...headers('pc-other'), ANSWER_CACHE_PATH }) });
  expect((await ask(app, { question })).performance_metrics.from_cache).toBe(false);
});
