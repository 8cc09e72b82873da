/** The OpenAI API under the settings of the operator: its models, its limits, and the two APIs of the model. */
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { ask, newQuestion } from '../support/app.ts';
import { useModel, useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

type Body = Partial<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming>;

const client = () => new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'unused', maxRetries: 0 });
const complete = (more: Body, question = newQuestion()) =>
  client().chat.completions.create({
    model: 'default',
    messages: [{ role: 'user', content: question }],
    ...more,
  });
const sent = () => app.emulator.requests.map(({ body }) => body);

it('MODEL_MAX_OUTPUT_TOKENS bounds what callers want; other settings are defaults', async () => {
  await app.start({ env: { MODEL_MAX_OUTPUT_TOKENS: '100', MODEL_TEMPERATURE: '0.7' } });
  await complete({});
  await complete({ max_tokens: 5000, temperature: 0.2 });
  await complete({ max_tokens: 50 });
  expect(sent()).toMatchObject([
    { max_tokens: 100, temperature: 0.7 },
    { max_tokens: 100, temperature: 0.2 },
    { max_tokens: 50, temperature: 0.7 },
  ]);
});

it('OPENAI_API_FORBIDDEN_PARAMETERS are refused by the name that the caller used', async () => {
  const env = { OPENAI_API_FORBIDDEN_PARAMETERS: 'temperature, max_completion_tokens' };
  await app.start({ env });
  for (const more of [{ temperature: 0 }, { max_tokens: 5 }, { max_completion_tokens: 5 }]) {
    const [param] = Object.keys(more);
    await expect(complete(more)).rejects.toMatchObject({ status: 400, code: 'unsupported_parameter', param });
  }
  await complete({ top_p: 1 });
});

it('OPENAI_API=off turns it off, and nothing else', async () => {
  await app.start({ env: { OPENAI_API: 'off' } });
  await expect(complete({})).rejects.toMatchObject({ status: 404, code: 'openai_api_off' });
  await expect(client().models.list()).rejects.toMatchObject({ status: 404 });
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
});

describe('with two deployments', () => {
  const fallback = useModel({ apiKey: 'other-key', deployments: ['gpt-4o-mini'] });
  const start = () =>
    app.start({
      env: {
        AZURE_OPENAI_FALLBACK_ENDPOINTS: `gpt-4o-mini=${fallback.url}`,
        AZURE_OPENAI_FALLBACK_API_KEYS: fallback.apiKey,
      },
      fresh: true,
    });
  const counts = () => [app.emulator.requests.length, fallback.requests.length];

  it('the named one answers, under a cache key of its own, and no other stands in for it', async () => {
    await start();
    const { data } = await client().models.list();
    expect(data.map(({ id }) => id)).toEqual(['default', 'gpt-4o', 'gpt-4o-mini']);
    const question = newQuestion();
    await complete({ model: 'gpt-4o-mini' }, question);
    expect(counts()).toEqual([0, 1]);
    await complete({ model: 'gpt-4o' }, question);
    await complete({ model: 'default' }, question);
    expect(counts()).toEqual([1, 1]);
    fallback.fault = { kind: 'status', status: 500 };
    await expect(complete({ model: 'gpt-4o-mini' })).rejects.toMatchObject({ status: 502 });
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('the default has its fallback, and both get the parameters of the caller', async () => {
    await start();
    app.emulator.failNext({ kind: 'status', status: 500 });
    await complete({ model: 'default', top_p: 0.5 });
    expect(counts()).toEqual([1, 1]);
    for (const { body } of [...app.emulator.requests, ...fallback.requests])
      expect(body).toMatchObject({ top_p: 0.5 });
  });
});

describe('MODEL_API=responses', () => {
  const env = { MODEL_API: 'responses' };

  it('parameters have its names there', async () => {
    await app.start({ env });
    const schema = { type: 'object', properties: {}, additionalProperties: false };
    await complete({
      temperature: 0.1,
      top_p: 0.2,
      max_tokens: 20,
      response_format: { type: 'json_schema', json_schema: { name: 'nothing', schema, strict: true } },
    });
    expect(sent()[0]).toMatchObject({
      temperature: 0.1,
      top_p: 0.2,
      max_output_tokens: 20,
      text: { format: { type: 'json_schema', name: 'nothing', schema, strict: true } },
    });
  });

  it('has no seed and no stop; what the model refuses has the name of the caller', async () => {
    await app.start({ env });
    for (const more of [
      { seed: 1 },
      { stop: 'x' },
      { reasoning_effort: 'low' as const },
      { max_tokens: 5 },
    ]) {
      const [param] = Object.keys(more);
      await expect(complete(more)).rejects.toMatchObject({
        status: 400,
        code: 'unsupported_parameter',
        param,
      });
    }
  });
});

it('a reasoning model takes the limit of a caller under its newer name', async () => {
  await app.start({ emulator: { reasoning: { thinkMs: 0, tokens: 10 } }, fresh: true });
  await complete({ max_tokens: 500 });
  await complete({ max_completion_tokens: 400 });
  expect(sent()).toMatchObject([
    { max_tokens: 500 },
    { max_completion_tokens: 500 },
    { max_completion_tokens: 400 },
  ]);
});
