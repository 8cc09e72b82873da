/** OpenAI-compatible servers that are not Azure's: a URL is all that changes. */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import {
  type CompatibleServer,
  type CompatibleServerOptions,
  startCompatibleServer,
} from '../../dev/stack/compatible-server.ts';
import { ask, askForError, startApp, type TestApp } from '../support/app.ts';
import { streamFrom } from '../support/streamed.ts';

let app: TestApp;
let server: CompatibleServer;
afterEach(async () => {
  await app.stop();
  await server.close();
});

async function start(options: CompatibleServerOptions = {}, env: Record<string, string> = {}): Promise<void> {
  server = await startCompatibleServer(options);
  app = await startApp({
    env: {
      AZURE_OPENAI_ENDPOINT: server.url,
      AZURE_OPENAI_API_KEY: '',
      AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'llama3.2',
      ...env,
    },
  });
}

it('answers, follows up, streams and caches, without a key and over HTTP', async () => {
  await start();
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
});

it('sends the key when there is one', { tags: ['long'] }, async () => {
  await start({}, { AZURE_OPENAI_API_KEY: 'local-key' });
  await ask(app, { question: 'Hi' });
  expect(server.authorizations).toEqual(['Bearer local-key']);
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
