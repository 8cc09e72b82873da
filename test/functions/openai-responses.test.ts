/** POST /v1/responses with OpenAI's own client. */
import { randomUUID } from 'node:crypto';
import OpenAI, { APIUserAbortError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { SYSTEM_PROMPT: 'Answer in French.', FINISH_ABANDONED: 'off' } });

type Body = Partial<OpenAI.Responses.ResponseCreateParamsNonStreaming>;

const FRANCE = 'What is the capital of France?';
const SPAIN = 'What about Spain?';
const MADRID = 'The capital of Spain is Madrid.';

const client = () => new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'unused', maxRetries: 0 });
const respond = (more: Body, headers: Record<string, string> = {}) =>
  client().responses.create({ model: 'default', ...more }, { headers });
const historyOf = async (id: string): Promise<string[]> => {
  const response = await fetch(`${app.url}/sessions/${encodeURIComponent(id)}`);
  if (response.status === 404) return [];
  const { chat_history } = (await response.json()) as { chat_history: { role: string; content: string }[] };
  return chat_history.filter(({ role }) => role === 'human').map(({ content }) => content);
};
/** The last prompt that the model got. */
const sent = () => app.emulator.requests.at(-1)?.messages.map(({ role, content }) => `${role}: ${content}`);

describe('a conversation', () => {
  it('begins with a response, and goes on after it', async () => {
    const first = await respond({ input: FRANCE });
    expect(first.output_text).toBe('The capital of France is Paris.');
    expect(first).toMatchObject({
      status: 'completed',
      previous_response_id: null,
      incomplete_details: null,
    });
    const second = await respond({ input: SPAIN, previous_response_id: first.id });
    expect(second.output_text).toBe(MADRID);
    expect(second.conversation?.id).toBe(first.conversation?.id);
    expect(sent()).toEqual([
      'system: Answer in French.',
      `user: ${FRANCE}`,
      'assistant: The capital of France is Paris.',
      `user: ${SPAIN}`,
    ]);
    expect(await historyOf(first.conversation?.id ?? '')).toEqual([FRANCE, SPAIN]);
  });

  it('goes on in a branch after an older response, and leaves the others untouched', async () => {
    const first = await respond({ input: FRANCE });
    const second = await respond({ input: newQuestion(), previous_response_id: first.id });
    const branched = await respond({ input: SPAIN, previous_response_id: first.id });
    expect(branched.output_text).toBe(MADRID);
    const [own, other] = [first, branched].map(({ conversation }) => conversation?.id ?? '');
    expect(other).not.toBe(own);
    expect(await historyOf(other ?? '')).toEqual([FRANCE, SPAIN]);
    expect(await historyOf(own ?? '')).toHaveLength(2);
    const inBranch = newQuestion();
    const third = await respond({ input: inBranch, previous_response_id: branched.id });
    expect(third.conversation?.id).toBe(other);
    expect(await historyOf(other ?? '')).toEqual([FRANCE, SPAIN, inBranch]);
    const next = await respond({ input: SPAIN, previous_response_id: second.id });
    expect(next.conversation?.id).toBe(own);
  });

  it('is a session, by any id', async () => {
    const session_id = `tour/${randomUUID()}`;
    await ask(app, { question: FRANCE, session_id });
    const { output_text, conversation } = await respond({ input: SPAIN, conversation: session_id });
    expect([output_text, conversation]).toEqual([MADRID, { id: session_id }]);
    const again = await respond({ input: SPAIN, conversation: { id: session_id } });
    expect(again.output_text).toBe(MADRID);
    const byHeader = await respond({ input: SPAIN }, { 'X-Session-Id': session_id });
    expect(byHeader.conversation?.id).toBe(session_id);
    expect((await ask(app, { question: newQuestion(), session_id })).chat_history).toHaveLength(10);
  });

  it('is not extended with store: false, which also begins none', async () => {
    const first = await respond({ input: FRANCE });
    const peek = await respond({ input: SPAIN, previous_response_id: first.id, store: false });
    expect(peek.output_text).toBe(MADRID);
    expect(await historyOf(first.conversation?.id ?? '')).toEqual([FRANCE]);
    await expect(respond({ input: SPAIN, previous_response_id: peek.id })).rejects.toMatchObject({
      status: 400,
      code: 'previous_response_not_found',
      param: 'previous_response_id',
    });
    expect(await respond({ input: newQuestion(), store: false })).not.toHaveProperty('conversation');
  });

  it('has no response any more once it was deleted', async () => {
    const { id, conversation } = await respond({ input: FRANCE });
    await fetch(`${app.url}/sessions/${conversation?.id}`, { method: 'DELETE' });
    for (const previous_response_id of [id, 'resp_1', 'x'])
      await expect(respond({ input: SPAIN, previous_response_id })).rejects.toMatchObject({
        code: 'previous_response_not_found',
      });
  });

  it('answers a repeated Idempotency-Key once, under the same id', async () => {
    const conversation = randomUUID();
    const headers = { 'Idempotency-Key': randomUUID() };
    const first = await respond({ input: FRANCE, conversation }, headers);
    const again = await respond({ input: FRANCE, conversation }, headers);
    expect([again.id, again.output_text]).toEqual([first.id, first.output_text]);
    expect((await respond({ input: SPAIN, previous_response_id: again.id })).output_text).toBe(MADRID);
  });
});

describe('the messages of a caller who keeps the conversation', () => {
  const input = [
    { role: 'user' as const, content: FRANCE },
    {
      role: 'assistant' as const,
      content: [{ type: 'output_text' as const, text: 'Paris.', annotations: [] }],
    },
    { role: 'user' as const, content: [{ type: 'input_text' as const, text: SPAIN }] },
  ];

  it('are the whole prompt, after the system prompt and the instructions', async () => {
    const { output_text, ...response } = await respond({ input: input as never, instructions: 'Be brief.' });
    expect(output_text).toBe(MADRID);
    expect(sent()).toEqual([
      'system: Answer in French.\n\nBe brief.',
      `user: ${FRANCE}`,
      'assistant: Paris.',
      `user: ${SPAIN}`,
    ]);
    expect(response).not.toHaveProperty('conversation');
  });

  it('cannot be mixed with a conversation', async () => {
    await expect(respond({ input: input as never, conversation: randomUUID() })).rejects.toMatchObject({
      status: 400,
      param: 'input',
    });
  });
});

it('instructions follow the system prompt, for one response', async () => {
  const first = await respond({ input: newQuestion(), instructions: 'Be brief.' });
  expect(sent()?.[0]).toBe('system: Answer in French.\n\nBe brief.');
  expect(first.instructions).toBe('Be brief.');
  await respond({ input: newQuestion(), previous_response_id: first.id });
  expect(sent()?.[0]).toBe('system: Answer in French.');
});

it('a cached response has the usage of its model call', async () => {
  const input = newQuestion();
  const read = () => client().responses.create({ model: 'default', input }).withResponse();
  const [first, second] = [await read(), await read()];
  expect([first, second].map(({ response }) => response.headers.get('x-cache'))).toEqual(['MISS', 'HIT']);
  expect(second.data.usage).toEqual(first.data.usage);
  expect(second.data.usage?.output_tokens).toBeGreaterThan(0);
  expect(second.data.id).not.toBe(first.data.id);
});

it('a response that was cut is incomplete', async () => {
  const { status, incomplete_details } = await respond({ input: newQuestion(), max_output_tokens: 1 });
  expect([status, incomplete_details]).toEqual(['incomplete', { reason: 'max_output_tokens' }]);
});

it('a refusal is a part of its own', async () => {
  app.emulator.failNext({ kind: 'answer', content: null, refusal: 'I cannot.' });
  const { output } = await respond({ input: newQuestion() });
  expect(output).toMatchObject([{ content: [{ type: 'refusal', refusal: 'I cannot.' }] }]);
});

describe('a stream', () => {
  it('gives the events of a response, and can be continued', async () => {
    const stream = client().responses.stream({ model: 'default', input: FRANCE });
    const types: string[] = [];
    let text = '';
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    const response = await stream.finalResponse();
    expect([text, response.output_text]).toEqual(Array(2).fill('The capital of France is Paris.'));
    expect(types.slice(0, 4)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
    ]);
    expect(types.at(-1)).toBe('response.completed');
    expect(response.usage?.output_tokens).toBeGreaterThan(0);
    const next = await respond({ input: SPAIN, previous_response_id: response.id });
    expect(next.output_text).toBe(MADRID);
  });

  it('ends with an error in its place when the model fails in its middle', async () => {
    app.emulator.failNext({ kind: 'break' });
    const stream = client().responses.stream({ model: 'default', input: newQuestion() });
    await expect(stream.finalResponse()).rejects.toMatchObject({ code: 'model_unavailable' });
  });

  it('can be cancelled, which ends the model call', async () => {
    app.emulator.tokenDelayMs = 200;
    const stream = client().responses.stream({ model: 'default', input: newQuestion() });
    const reading = (async () => {
      for await (const event of stream) if (event.type === 'response.output_text.delta') stream.abort();
    })();
    await expect(reading).rejects.toThrow(APIUserAbortError);
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });
});

it('responses.parse gives the answer by a schema', async () => {
  app.emulator.failNext({ kind: 'answer', content: '{"city": "Paris"}' });
  const format = zodTextFormat(z.object({ city: z.string() }), 'place');
  const { output_parsed } = await client().responses.parse({
    model: 'default',
    input: newQuestion(),
    text: { format },
  });
  expect(output_parsed).toEqual({ city: 'Paris' });
  expect(app.emulator.requests[0]?.body['response_format']).toMatchObject({
    type: 'json_schema',
    json_schema: { name: 'place', strict: true },
  });
});

it.each<[string, object]>([
  ['tools', { tools: [{ type: 'web_search' }] }],
  ['background', { background: true }],
  ['truncation', { truncation: 'auto' }],
  ['reasoning.summary', { reasoning: { summary: 'auto' } }],
  ['input[0].type', { input: [{ type: 'function_call_output', call_id: '1', output: 'x' }] }],
  [
    'input[0].content[0].type',
    { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] },
  ],
  ['reasoning.effort', { reasoning: { effort: 'high' } }],
])('%s, which is not supported or refused by the model, is named', async (param, more) => {
  await expect(respond({ input: newQuestion(), ...more })).rejects.toMatchObject({
    status: 400,
    code: 'unsupported_parameter',
    param,
  });
});

it.each<[string, object]>([
  ['input', { input: undefined }],
  ['input', { input: ' ' }],
  ['input', { input: [] }],
  ['input[0].role', { input: [{ content: 'x' }] }],
  ['max_output_tokens', { max_output_tokens: 0 }],
  ['conversation', { conversation: '..' }],
  ['previous_response_id', { conversation: 'a', previous_response_id: 'resp_1' }],
  ['text.format', { text: { format: { type: 'xml' } } }],
])('an invalid value of %s is named', async (param, more) => {
  await expect(respond({ input: newQuestion(), ...more })).rejects.toMatchObject({
    status: 400,
    code: 'invalid_request',
    param: expect.stringContaining(param) as string,
  });
});

const headersOf = (id: string): Record<string, string> => ({
  'x-ms-client-principal': Buffer.from('{"auth_typ":"aad","claims":[]}').toString('base64'),
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': 'aad',
});

describe('of signed-in users', () => {
  const signedIn = useApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
  const of = (user: string) =>
    new OpenAI({
      baseURL: `${signedIn.url}/v1`,
      apiKey: 'unused',
      maxRetries: 0,
      defaultHeaders: headersOf(user),
    }).responses;
  const listOf = async (user: string) => {
    const response = await fetch(`${signedIn.url}/sessions`, { headers: headersOf(user) });
    const { sessions } = (await response.json()) as { sessions: { session_id: string; title: string }[] };
    return sessions;
  };

  it('a branch is in the list of sessions, under its first question', async () => {
    const user = randomUUID();
    const first = await of(user).create({ model: 'default', input: FRANCE });
    await of(user).create({ model: 'default', input: SPAIN, previous_response_id: first.id });
    const branch = await of(user).create({ model: 'default', input: SPAIN, previous_response_id: first.id });
    await eventually(async () => (await listOf(user)).length === 2);
    const title = FRANCE;
    expect(await listOf(user)).toContainEqual(
      expect.objectContaining({ session_id: branch.conversation?.id, title }),
    );
  });

  it('nobody else can continue a response', async () => {
    const { id } = await of(randomUUID()).create({ model: 'default', input: FRANCE });
    const continuing = of(randomUUID()).create({ model: 'default', input: SPAIN, previous_response_id: id });
    await expect(continuing).rejects.toMatchObject({ status: 400, code: 'previous_response_not_found' });
  });
});
