/**
 * The emulated service refuses what Azure OpenAI refuses, and obeys what a request asks. So a wrong request of the app
 * fails a test. The sources of the words are beside the code that says them.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { useDispatcher, useModel } from '../support/fixture.ts';

const emulator = useModel();
const dispatcher = useDispatcher(emulator);

const CHAT = '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21';
const RESPONSES = '/openai/v1/responses';

interface Sent {
  status: number;
  text: string;
  /** The whole answer. */
  json: Record<string, unknown>;
  error: { code?: string | null; message?: string; param?: string | null };
}

async function post(path: string, body: object): Promise<Sent> {
  const { statusCode, body: answer } = await request(emulator.url + path, {
    dispatcher,
    method: 'POST',
    headers: { 'api-key': emulator.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const json = text.startsWith('{') ? (JSON.parse(text) as Sent['json']) : {};
  return { status: statusCode, text, json, error: json['error'] ?? {} };
}

const user = (content: unknown) => [{ role: 'user', content }];
const chat = (body: object = {}, path = CHAT) => post(path, { messages: user('Hi'), ...body });
const respond = (body: object = {}, path = RESPONSES) =>
  post(path, { model: 'gpt-4o', input: 'Hi', ...body });

describe('the address', () => {
  it.each([
    ['a version without a day', CHAT.replace('2024-10-21', '2024-10'), 404, '404'],
    ['a version that never was', CHAT.replace('2024-10-21', '2024-10-22'), 404, '404'],
    ['a preview without its suffix', CHAT.replace('2024-10-21', '2025-04-01'), 404, '404'],
    [
      'a dated version on the v1 API',
      '/openai/v1/chat/completions?api-version=2024-10-21',
      400,
      'BadRequest',
    ],
    ['a deployment that is not there', CHAT.replace('gpt-4o', 'gpt-5'), 404, 'DeploymentNotFound'],
  ])('%s is refused', async (_, path, status, code) => {
    const refused = await chat({ model: 'gpt-4o' }, path);
    expect([refused.status, refused.error.code]).toEqual([status, code]);
  });

  it('on the v1 API, the model is the deployment', async () => {
    const path = '/openai/v1/chat/completions';
    expect((await chat({ model: 'gpt-4o' }, path)).status).toBe(200);
    expect((await chat({ model: 'gpt-4o-2024-11-20' }, path)).error.code).toBe('DeploymentNotFound');
    expect((await chat({}, path)).error.message).toBe('you must provide a model parameter');
  });
});

const tooMany = ['a', 'b', 'c', 'd', 'e'];

describe('a chat completion request', () => {
  it.each([
    [{ temperature: 9 }, 'temperature', 'decimal_above_max_value', '<= 2, but got 9 instead'],
    [{ top_p: -1 }, 'top_p', 'decimal_below_min_value', '>= 0, but got -1 instead'],
    [{ n: 130 }, 'n', 'integer_above_max_value', '<= 128, but got 130 instead'],
    [{ max_tokens: 0 }, 'max_tokens', 'integer_below_min_value', '>= 1, but got 0 instead'],
    [{ max_tokens: 1.5 }, 'max_tokens', 'invalid_type', 'an integer, but got a decimal number'],
    [{ max_tokens: '5' }, 'max_tokens', 'invalid_type', 'an integer, but got a string'],
    [{ max_tokens: 5, max_completion_tokens: 5 }, 'max_tokens', 'invalid_parameter_combination', 'same time'],
    [{ stop: tooMany }, 'stop', 'array_above_max_length', 'length 4, but got an array with length 5'],
    [{ stream_options: { include_usage: true } }, 'stream_options', null, "when 'stream' is enabled"],
    [{ messages: [] }, 'messages', 'empty_array', 'an empty array'],
    [{ messages: undefined }, 'messages', 'missing_required_parameter', "'messages'"],
    [{ messages: [{ content: 'Hi' }] }, 'messages[0].role', 'missing_required_parameter', 'role'],
    [{ messages: [{ role: 'human', content: 'Hi' }] }, 'messages[0].role', 'invalid_value', "'human'"],
    [{ messages: [{ role: 'user', content: 'Hi', id: 1 }] }, 'messages[0].id', 'unknown_parameter', 'id'],
    [
      { messages: user([{ type: 'input_text', text: 'Hi' }]) },
      'messages[0].content[0]',
      'invalid_value',
      'text',
    ],
    [{ question: 'Hi' }, null, null, 'Unrecognized request argument supplied: question'],
    [{ reasoning_effort: 'low' }, null, null, 'Unrecognized request argument supplied: reasoning_effort'],
    [{ verbosity: 'low' }, null, null, 'Unrecognized request argument supplied: verbosity'],
  ])('is refused with %j', async (body, param, code, words) => {
    const refused = await chat(body);
    expect(refused.status).toBe(400);
    expect(refused.error).toMatchObject({ type: 'invalid_request_error', param, code });
    expect(refused.error.message).toContain(words);
  });

  it('is answered with what any client may send', async () => {
    const body = {
      temperature: 0,
      top_p: 1,
      n: 1,
      stop: null,
      seed: 7,
      user: 'one',
      logprobs: false,
      presence_penalty: -2,
      frequency_penalty: 2,
      logit_bias: { 50_256: -100 },
      metadata: { a: 'b' },
      tools: [{ type: 'function', function: { name: 'now' } }],
      tool_choice: 'auto',
      response_format: { type: 'text' },
      max_completion_tokens: 100,
      stream: false,
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
        { role: 'user', name: 'ann', content: 'Hi' },
        { role: 'assistant', content: null, refusal: null, tool_calls: [] },
        { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
        ...user('Hi'),
      ],
    };
    expect((await chat(body)).json).toMatchObject({ object: 'chat.completion' });
  });
});

describe('a request for a response', () => {
  it.each([
    [{ max_output_tokens: 5 }, 'max_output_tokens', 'integer_below_min_value', '>= 16, but got 5 instead'],
    [{ temperature: 9 }, 'temperature', 'decimal_above_max_value', '<= 2'],
    [{ model: undefined }, null, null, 'you must provide a model parameter'],
    [{ input: undefined }, 'input', 'missing_required_parameter', "'input'"],
    [{ messages: user('Hi') }, null, 'unsupported_parameter', "moved to 'input'"],
    [{ max_tokens: 500 }, null, 'unsupported_parameter', "moved to 'max_output_tokens'"],
    [{ reasoning_effort: 'low' }, null, 'unsupported_parameter', "moved to 'reasoning.effort'"],
    [{ reasoning: { effort: 'low' } }, 'reasoning.effort', null, 'not supported with this model'],
    [{ n: 2 }, 'n', 'unknown_parameter', "Unknown parameter: 'n'"],
    [{ text: { tone: 'low' } }, 'text.tone', 'unknown_parameter', "'text.tone'"],
    [{ input: [{ role: 'human', content: 'Hi' }] }, 'input[0].role', 'invalid_value', "'human'"],
    [{ input: [{ role: 'tool', content: 'Hi' }] }, 'input[0].role', 'invalid_value', "'tool'"],
    [{ input: user([{ type: 'text', text: 'Hi' }]) }, 'input[0].content[0]', 'invalid_value', 'input_text'],
    [
      { input: [{ role: 'assistant', content: [{ type: 'input_text', text: 'Hi' }] }] },
      'input[0].content[0]',
      'invalid_value',
      "'output_text' and 'refusal'",
    ],
    [{ previous_response_id: 'resp_0' }, 'previous_response_id', 'previous_response_not_found', "'resp_0'"],
  ])('is refused with %j', async (body, param, code, words) => {
    const refused = await respond(body);
    expect(refused.status).toBe(400);
    expect(refused.error).toMatchObject({ type: 'invalid_request_error', param, code });
    expect(refused.error.message).toContain(words);
  });

  it('goes on with a response that was kept, and not with one that was not', async () => {
    const first = await respond({ input: 'What is the capital of France?' });
    const next = { input: 'What about Spain?', previous_response_id: first.json['id'], store: false };
    const second = await respond(next);
    expect(second.text).toContain('The capital of Spain is Madrid.');
    expect(second.json).toMatchObject({ previous_response_id: first.json['id'], store: false });
    const third = await respond({ previous_response_id: second.json['id'] });
    expect(third.error.code).toBe('previous_response_not_found');
  });
});

const SENTENCE = 'The capital of France is Paris.';
const question = user('What is the capital of France?');
const textsOf = ({ json }: Sent) =>
  (json['choices'] as { message: { content: string }; finish_reason: string }[]).map((choice) => [
    choice.message.content,
    choice.finish_reason,
  ]);

describe('an answer', () => {
  it('ends at the limit, before a stop sequence, and comes as often as asked', async () => {
    const ask = async (body: object) => textsOf(await chat({ messages: question, ...body }));
    expect(await ask({})).toEqual([[SENTENCE, 'stop']]);
    expect(await ask({ max_tokens: 2 })).toEqual([['The capi', 'length']]);
    expect(await ask({ max_completion_tokens: 100 })).toEqual([[SENTENCE, 'stop']]);
    expect(await ask({ stop: ' France' })).toEqual([['The capital of', 'stop']]);
    expect(await ask({ stop: ['Paris', ' is'] })).toEqual([['The capital of France', 'stop']]);
    expect(await ask({ n: 2 })).toEqual([
      [SENTENCE, 'stop'],
      [SENTENCE, 'stop'],
    ]);
    const { json } = await chat({ messages: question, n: 3, max_tokens: 2 });
    expect(json).toMatchObject({ usage: { completion_tokens: 6 } });
  });

  it('ends at the limit when it is streamed', async () => {
    const { text } = await chat({ messages: question, max_tokens: 1, n: 2, stream: true });
    expect(text.match(/"content":"The "/g)).toHaveLength(2);
    expect(text.match(/"finish_reason":"length"/g)).toHaveLength(2);
    expect(text).not.toContain('capital');
  });

  it('of the Responses API ends at the limit, as incomplete', async () => {
    const { json, text } = await respond({ input: 'What is serverless computing?', max_output_tokens: 16 });
    expect(json).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      usage: { output_tokens: 16 },
      max_output_tokens: 16,
    });
    expect(text).not.toContain('cold start');
  });

  it('of a reasoning model counts reasoning first, and such a model has no temperature', async () => {
    const model = await startEmulator({ reasoning: { thinkMs: 0, tokens: 64 } });
    const agent = new Agent({ connect: { ca: readFileSync(model.certificatePath) } });
    const send = async (body: object) => {
      const { body: answer } = await request(model.url + CHAT, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'api-key': model.apiKey },
        body: JSON.stringify({ messages: question, ...body }),
      });
      return answer.json();
    };
    try {
      expect(await send({ max_completion_tokens: 50, reasoning_effort: 'low' })).toMatchObject({
        choices: [{ message: { content: '' }, finish_reason: 'length' }],
      });
      expect(await send({ temperature: 0 })).toMatchObject({ error: { code: 'unsupported_value' } });
      expect(await send({ max_tokens: 50 })).toMatchObject({ error: { code: 'unsupported_parameter' } });
    } finally {
      await agent.destroy();
      await model.close();
    }
  });
});
