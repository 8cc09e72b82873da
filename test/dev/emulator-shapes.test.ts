/** Every answer of the emulated service has the shape that Azure OpenAI publishes (support/azure-openai-shapes.ts). */
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { type Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import * as shapes from '../support/azure-openai-shapes.ts';
import { useDispatcher, useModel } from '../support/fixture.ts';

const emulator = useModel();
const dispatcher = useDispatcher(emulator);

const PATHS = {
  chat: '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21',
  responses: '/openai/v1/responses',
};
type Api = keyof typeof PATHS;

async function send(api: Api, body: object) {
  const question = 'What is the capital of France?';
  const prompt =
    api === 'chat'
      ? { messages: [{ role: 'user', content: question }] }
      : { model: 'gpt-4o', input: question };
  const {
    statusCode,
    headers,
    body: answer,
  } = await request(emulator.url + PATHS[api], {
    dispatcher,
    method: 'POST',
    headers: { 'api-key': emulator.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ ...prompt, ...body }),
  });
  return { status: statusCode, headers, text: await answer.text() };
}

/** The data of the events of a stream, without the end mark of chat completions. */
const eventsOf = (text: string): unknown[] =>
  [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data) as unknown);

/** Fails with the path and the kind of what differs. */
const check = (shape: z.ZodType, values: unknown[]): void => {
  const issues = values.flatMap((value) => shape.safeParse(value).error?.issues ?? []);
  expect(issues).toEqual([]);
};

const ANSWERS: [string, Fault | undefined, object][] = [
  ['an ordinary answer', undefined, {}],
  ['with parameters', undefined, { temperature: 0, top_p: 0.5, metadata: { a: 'b' }, store: false }],
  ['reasoning', { kind: 'answer', content: 'Forty-two.', reasoningTokens: 9 }, {}],
  ['a refusal of the model', { kind: 'answer', content: null, refusal: 'I cannot help with that.' }, {}],
  ['cut at the limit', { kind: 'answer', content: 'Half an', finishReason: 'length' }, {}],
  ['nothing but reasoning', { kind: 'answer', content: '', finishReason: 'length', reasoningTokens: 9 }, {}],
  ['withdrawn by the filter', { kind: 'async_content_filter' }, {}],
];

describe.each(ANSWERS)('%s', (_, fault, body) => {
  it.each(['chat', 'responses'] as const)('as %s, whole', async (api) => {
    if (fault) emulator.failNext(fault);
    const { status, text } = await send(api, body);
    expect(status).toBe(200);
    check(api === 'chat' ? shapes.completion : shapes.response, [JSON.parse(text)]);
  });

  it.each(['chat', 'responses'] as const)('as %s, in events', async (api) => {
    if (fault) emulator.failNext(fault);
    const options = api === 'chat' ? { stream_options: { include_usage: true } } : {};
    const { status, text } = await send(api, { ...body, ...options, stream: true });
    const events = eventsOf(text);
    expect([status, events.length > 3]).toEqual([200, true]);
    check(api === 'chat' ? shapes.chunk : shapes.responseEvent, events);
  });
});

it.each(['error', 'failed'] as const)('a stream of the Responses API that ends with %s', async (event) => {
  emulator.failNext({ kind: 'stream_error', event });
  check(shapes.responseEvent, eventsOf((await send('responses', { stream: true })).text));
});

const FAILURES: [Fault | undefined, number][] = [
  [undefined, 400],
  [{ kind: 'content_filter' }, 400],
  [{ kind: 'context_length' }, 400],
  [{ kind: 'retired_model' }, 400],
  [{ kind: 'no_deployment' }, 404],
  [{ kind: 'status', status: 429, retryAfter: '30' }, 429],
  [{ kind: 'status', status: 500 }, 500],
];
it.each(FAILURES)('an error: %j, status %i', async (fault, status) => {
  if (fault) emulator.failNext(fault);
  for (const api of ['chat', 'responses'] as const) {
    if (fault && api === 'responses') emulator.failNext(fault);
    const failed = await send(api, fault ? {} : { temperature: 9 });
    expect(failed.status).toBe(status);
    check(shapes.error, [JSON.parse(failed.text)]);
  }
});

it('the headers name the request, and tell what is left of the quota', async () => {
  const first = await send('chat', {});
  const second = await send('responses', { stream: true });
  for (const { headers } of [first, second]) {
    expect(headers['apim-request-id']).toBe(headers['x-ms-client-request-id']);
    expect(headers['x-request-id']).not.toBe(headers['apim-request-id']);
  }
  const left = ({ headers }: typeof first, kind: string) => Number(headers[`x-ratelimit-remaining-${kind}`]);
  // A new minute may begin between the two.
  expect(left(second, 'requests')).toBeGreaterThan(0);
  expect(left(first, 'requests')).toBeLessThan(Number(first.headers['x-ratelimit-limit-requests']));
  expect(left(first, 'tokens')).toBeLessThan(Number(first.headers['x-ratelimit-limit-tokens']));
});
