/** POST /v1/chat/completions and GET /v1/models with OpenAI's own client. */
import { randomUUID } from 'node:crypto';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { zodResponseFormat } from 'openai/helpers/zod';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { SYSTEM_PROMPT: 'Answer in French.', FINISH_ABANDONED: 'off' } });

type Body = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;

const client = (options: ConstructorParameters<typeof OpenAI>[0] = {}): OpenAI =>
  new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'unused', maxRetries: 0, ...options });
const user = (content: string) => ({ role: 'user' as const, content });
const bodyWith = (content: string, more: Partial<Body> = {}): Body => ({
  model: 'default',
  messages: [user(content)],
  ...more,
});
const complete = (content: string, more: Partial<Body> = {}, headers: Record<string, string> = {}) =>
  client().chat.completions.create(bodyWith(content, more), { headers });
/** Sends a body as it is. */
const post = async (body: object, headers: Record<string, string> = {}) => {
  const response = await fetch(`${app.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const { error } = (await response.json()) as {
    error: { code: string; param: string; message: string; type: string };
  };
  return { status: response.status, headers: response.headers, error };
};
const cacheOf = async (content: string, more: Partial<Body> = {}): Promise<string | null> => {
  const { response } = await client().chat.completions.create(bodyWith(content, more)).withResponse();
  return response.headers.get('x-cache');
};
const sent = () => app.emulator.requests.map(({ body }) => body);

describe('a completion', () => {
  it('answers the messages of the caller and nothing else', async () => {
    const messages: Body['messages'] = [
      { role: 'developer', content: 'Be brief.' },
      user('What is the capital of France?'),
      { role: 'assistant', content: 'Paris.', refusal: null },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What about ' },
          { type: 'text', text: 'Spain?' },
        ],
      },
    ];
    const { choices, model, usage, id } = await client().chat.completions.create({
      model: 'gpt-4o',
      messages,
    });
    expect(choices[0]?.message.content).toBe('The capital of Spain is Madrid.');
    expect(choices[0]?.finish_reason).toBe('stop');
    expect(model).toContain('emulated');
    expect(id).toMatch(/^chatcmpl-/);
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0));
    expect(app.emulator.requests[0]?.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is the capital of France?' },
      { role: 'assistant', content: 'Paris.' },
      { role: 'user', content: 'What about Spain?' },
    ]);
  });

  it('comes from the cache the second time, with the tokens of its model call', async () => {
    const question = newQuestion();
    const first = await client().chat.completions.create(bodyWith(question)).withResponse();
    const second = await client().chat.completions.create(bodyWith(question)).withResponse();
    expect([first, second].map(({ response }) => response.headers.get('x-cache'))).toEqual(['MISS', 'HIT']);
    expect(second.response.headers.get('age')).toBe('0');
    expect(second.data.usage).toEqual(first.data.usage);
    expect(second.data.usage?.completion_tokens).toBeGreaterThan(0);
    expect(second.data.choices).toEqual(first.data.choices);
    expect(second.data.id).not.toBe(first.data.id);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('shares one model call with an identical request in flight', async () => {
    app.emulator.latencyMs = 300;
    const question = newQuestion();
    const answers = await Promise.all([complete(question), complete(question)]);
    expect(answers[0]?.choices).toEqual(answers[1]?.choices);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('has the measurements when a header asks for them', async () => {
    const headers = { 'X-Performance-Metrics': 'on' };
    const answer: object = await complete(newQuestion(), {}, headers);
    expect(answer).toMatchObject({ x_performance_metrics: { from_cache: false, history_saved: false } });
    expect(await complete(newQuestion())).not.toHaveProperty('x_performance_metrics');
  });
});

it('the log has a line for it, without a session: there is none', async () => {
  await complete(newQuestion());
  const lines = app
    .output()
    .split('\n')
    .filter((line) => line.includes('"event":"question"'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('"session"');
  await complete(newQuestion(), { metadata: { session_id: randomUUID() } });
  expect(app.output()).toContain('"session"');
});

describe('a stream', () => {
  it('begins with the role, ends with the reason and the tokens', async () => {
    const question = newQuestion();
    const read = async () => {
      const body = { ...bodyWith(question), stream: true, stream_options: { include_usage: true } } as const;
      const chunks: OpenAI.Chat.ChatCompletionChunk[] = [];
      for await (const chunk of await client().chat.completions.create(body)) chunks.push(chunk);
      return chunks;
    };
    const chunks = await read();
    const plain = await complete(question);
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    const deltas = chunks.map(({ choices }) => choices[0]?.delta.content ?? '');
    expect(deltas.join('')).toBe(plain.choices[0]?.message.content);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: plain.usage });
    expect(new Set(chunks.map(({ id, model }) => `${id} ${model}`)).size).toBe(1);
    const cached = await read();
    expect(cached.at(-1)?.usage).toEqual(plain.usage);
  });

  it('can be cancelled, which ends the model call', async () => {
    app.emulator.tokenDelayMs = 200;
    const stream = await client().chat.completions.create({ ...bodyWith(newQuestion()), stream: true });
    for await (const _ of stream) stream.controller.abort();
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });

  it('ends with an error in its place when the model fails in its middle', async () => {
    app.emulator.failNext({ kind: 'break' });
    const stream = await client().chat.completions.create({ ...bodyWith(newQuestion()), stream: true });
    const reading = (async () => {
      for await (const _ of stream);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'model_unavailable', type: 'server_error' });
  });
});

const limitsIn = (headers: Headers) => [...headers].filter(([name]) => name.startsWith('x-ratelimit-'));
const left = (headers: Headers) => Number(headers.get('x-ratelimit-remaining-tokens'));

describe('the rate limits of the model', () => {
  it('are in the headers of an answer and of a stream, unless no model was called', async () => {
    const body = bodyWith(newQuestion());
    const plain = await client().chat.completions.create(body).withResponse();
    expect(limitsIn(plain.response.headers).map(([name]) => name)).toEqual([
      'x-ratelimit-limit-requests',
      'x-ratelimit-limit-tokens',
      'x-ratelimit-remaining-requests',
      'x-ratelimit-remaining-tokens',
    ]);
    const streamed = { ...bodyWith(newQuestion()), stream: true } as const;
    const { data, response } = await client().chat.completions.create(streamed).withResponse();
    for await (const _ of data);
    expect(left(response.headers)).toBeLessThan(left(plain.response.headers));
    const cached = await client().chat.completions.create(body).withResponse();
    expect(limitsIn(cached.response.headers)).toEqual([]);
  });

  it('are in the headers of an error, without the numbers that Azure does not know', async () => {
    // github.com/openai/openai-dotnet/issues/838
    const unknown = { 'x-ratelimit-limit-tokens': '-1', 'x-ratelimit-remaining-tokens': '-1' };
    const headers = { ...unknown, 'x-ratelimit-reset-tokens': '0' };
    app.emulator.fault = { kind: 'status', status: 429, retryAfterMs: '5', headers };
    const refused = await post(bodyWith(newQuestion()));
    expect(limitsIn(refused.headers)).toEqual([['x-ratelimit-reset-tokens', '0']]);
  });
});

describe('a parameter', () => {
  it('is sent, and is part of the cache key; prompt_cache_key and user are not', async () => {
    const question = newQuestion();
    const variants: Partial<Body>[] = [
      { top_p: 0.5 },
      { max_tokens: 50 },
      { max_completion_tokens: 60 },
      { stop: 'END' },
      { stop: ['END', 'FIN'] },
      { seed: 7 },
      { temperature: 0.3 },
      { frequency_penalty: 1 },
      { presence_penalty: 1 },
      { response_format: { type: 'json_object' } },
    ];
    for (const variant of variants)
      expect(await cacheOf(question, variant), JSON.stringify(variant)).toBe('MISS');
    expect(sent()).toEqual([
      expect.objectContaining({ top_p: 0.5 }),
      expect.objectContaining({ max_tokens: 50 }),
      expect.objectContaining({ max_tokens: 60 }),
      expect.objectContaining({ stop: ['END'] }),
      expect.objectContaining({ stop: ['END', 'FIN'] }),
      expect.objectContaining({ seed: 7 }),
      expect.objectContaining({ temperature: 0.3 }),
      expect.objectContaining({ frequency_penalty: 1 }),
      expect.objectContaining({ presence_penalty: 1 }),
      expect.objectContaining({ response_format: { type: 'json_object' } }),
    ]);
    for (const variant of variants) expect(await cacheOf(question, variant)).toBe('HIT');
    const others = { prompt_cache_key: randomUUID(), user: randomUUID() };
    expect(await cacheOf(question, { ...variants[0], ...others })).toBe('HIT');
    // Of equal text and parameters, whatever their form.
    expect(await cacheOf(question, { stop: ['END'], n: 1, tools: [], logprobs: false, store: null })).toBe(
      'HIT',
    );
  });

  it('that the model refuses is named, and is no wrong setting: others are not affected', async () => {
    const variant = { reasoning_effort: 'high' } as const;
    const { status, error } = await post(bodyWith(newQuestion(), variant));
    expect([status, error]).toEqual([
      400,
      {
        code: 'unsupported_parameter',
        type: 'invalid_request_error',
        param: 'reasoning_effort',
        message: expect.stringContaining('The model refuses the field "reasoning_effort"'),
      },
    ]);
    expect(app.emulator.requests).toHaveLength(1);
    await complete(newQuestion());
    expect((await post(bodyWith(newQuestion(), variant))).error.param).toBe('reasoning_effort');
    expect(app.output()).not.toContain('MODEL_REASONING_EFFORT');
  });

  it.each<[string, unknown]>([
    ['tools', [{ type: 'function', function: { name: 'f' } }]],
    ['functions', [{ name: 'f' }]],
    ['tool_choice', 'required'],
    ['n', 2],
    ['logprobs', true],
    ['logit_bias', { 50256: -100 }],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy', format: 'wav' }],
    ['store', true],
    ['prediction', { type: 'content', content: 'x' }],
    ['an_unknown_one', 1],
  ])('%s, which is not supported, is refused by its name', async (name, value) => {
    const { status, error } = await post({ ...bodyWith(newQuestion()), [name]: value });
    expect([status, error.code, error.param]).toEqual([400, 'unsupported_parameter', name]);
    expect(app.emulator.requests).toHaveLength(0);
  });

  it.each<[string, object]>([
    ['messages[0].role', { role: 'tool', tool_call_id: '1', content: 'x' }],
    ['messages[0].name', { role: 'user', name: 'Ann', content: 'x' }],
    ['messages[0].tool_calls', { role: 'assistant', tool_calls: [{ id: '1' }] }],
    [
      'messages[0].content[1].type',
      {
        role: 'user',
        content: [
          { type: 'text', text: 'x' },
          { type: 'image_url', image_url: { url: 'data:' } },
        ],
      },
    ],
  ])('a message with %s is refused', async (param, message) => {
    const { status, error } = await post({ model: 'default', messages: [message] });
    expect([status, error.code, error.param]).toEqual([400, 'unsupported_parameter', param]);
  });

  it.each<[string, object]>([
    ['model', { model: undefined }],
    ['messages', { messages: [] }],
    ['messages', { messages: 'Hi' }],
    ['messages.0.role', { messages: [{ content: 'Hi' }] }],
    ['temperature', { temperature: 3 }],
    ['max_tokens', { max_tokens: 0 }],
    ['max_tokens', { max_tokens: 5, max_completion_tokens: 6 }],
    ['stop', { stop: ['1', '2', '3', '4', '5'] }],
    ['response_format', { response_format: { type: 'xml' } }],
    [
      'response_format.json_schema.name',
      { response_format: { type: 'json_schema', json_schema: { name: '!' } } },
    ],
    ['metadata.session_id', { metadata: { session_id: '..' } }],
  ])('an invalid value of %s is refused', async (param, more) => {
    const { status, error } = await post({ ...bodyWith(newQuestion()), ...more });
    expect([status, error.code]).toEqual([400, 'invalid_request']);
    expect(error.param.replace(/\.type$/, '')).toBe(param);
  });

  it('follows a JSON schema, and names it when the model refuses it', async () => {
    const format = zodResponseFormat(z.object({ city: z.string() }), 'place');
    await complete(newQuestion(), { response_format: format });
    expect(sent()[0]?.['response_format']).toMatchObject({
      type: 'json_schema',
      json_schema: { name: 'place' },
    });
  });
});

describe('with a session', () => {
  it('the last message is a question in it, with the history and the system prompt', async () => {
    const session_id = randomUUID();
    await ask(app, { question: 'What is the capital of France?', session_id });
    const messages = [
      { role: 'system', content: 'Be brief.' } as const,
      user('forgotten'),
      user('What about Spain?'),
    ];
    const headers = { 'X-Session-Id': session_id };
    const { choices } = await client().chat.completions.create({ model: 'default', messages }, { headers });
    expect(choices[0]?.message.content).toBe('The capital of Spain is Madrid.');
    expect(app.emulator.requests[1]?.messages[0]?.content).toBe('Answer in French.\n\nBe brief.');
    const third = await ask(app, { question: newQuestion(), session_id });
    expect(third.chat_history.map(({ content }) => content)).toContain('What about Spain?');
  });

  it('metadata may name it, and a repeated Idempotency-Key is answered once', async () => {
    const metadata = { session_id: randomUUID() };
    const headers = { 'Idempotency-Key': randomUUID() };
    const question = newQuestion();
    const first = await complete(question, { metadata }, headers);
    const second = await complete(question, { metadata }, headers);
    expect(second.choices).toEqual(first.choices);
    expect(second).not.toHaveProperty('usage');
    const others = [
      bodyWith(newQuestion(), { metadata }),
      bodyWith(question, { metadata, temperature: 0.5 }),
      {
        ...bodyWith(question, { metadata }),
        messages: [{ role: 'system', content: 'Be brief.' }, user(question)],
      },
    ];
    for (const body of others) {
      const other = await post(body, headers);
      expect([other.status, other.error.code]).toEqual([409, 'idempotency_conflict']);
      expect(other.headers.get('x-should-retry')).toBe('false');
    }
  });

  it('the last message has to be a question', async () => {
    const messages = [user('Hi'), { role: 'assistant', content: 'Hello' }];
    const { status, error } = await post({ model: 'default', messages }, { 'X-Session-Id': randomUUID() });
    expect([status, error.param]).toEqual([400, 'messages']);
  });
});

describe('an error', () => {
  it('has the status and Retry-After of /ask', async () => {
    app.emulator.fault = { kind: 'status', status: 429, retryAfterMs: '5' };
    const { status, error, headers } = await post(bodyWith(newQuestion()));
    expect([status, error.code, error.type]).toEqual([429, 'rate_limit_exceeded', 'rate_limit_error']);
    expect(headers.get('retry-after')).toBe('1');
  });

  it('that a retry may cure is retried by the client', async () => {
    app.emulator.failNext(...Array.from({ length: 3 }, () => ({ kind: 'status' as const, status: 500 })));
    const answer = await client({ maxRetries: 2 }).chat.completions.create(bodyWith(newQuestion()));
    expect(answer.choices[0]?.message.content).not.toBe('');
    expect(app.emulator.requests.length).toBeGreaterThan(3);
  });

  it('says that the messages are too long, and no part of them is left out', async () => {
    app.emulator.failNext({ kind: 'context_length' });
    const messages = ['a', 'b', 'c'].flatMap((text) => [
      user(text),
      { role: 'assistant' as const, content: text },
    ]);
    const { status, error } = await post({ model: 'default', messages: [...messages, user(newQuestion())] });
    expect([status, error.code, error.param]).toEqual([413, 'context_length_exceeded', 'messages']);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it.each([
    ['GET', 405, 'method_not_allowed'],
    ['POST', 415, 'unsupported_media_type'],
  ])('%s without a body has the shape too', async (method, status, code) => {
    const response = await fetch(`${app.url}/v1/chat/completions`, { method });
    expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }]);
  });

  it('only-if-cached without a cached answer is not retried', async () => {
    const { status, error, headers } = await post(bodyWith(newQuestion()), {
      'Cache-Control': 'only-if-cached',
    });
    expect([status, error.code, headers.get('x-should-retry')]).toEqual([504, 'not_cached', 'false']);
  });
});

describe('models', () => {
  it('are the deployments, and the default', async () => {
    const { data } = await client().models.list();
    expect(data.map(({ id }) => id)).toEqual(['default', 'gpt-4o']);
    expect((await client().models.retrieve('gpt-4o')).id).toBe('gpt-4o');
    await expect(client().models.retrieve('gpt-9')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    await expect(complete(newQuestion(), { model: 'gpt-9' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
  });
});
