/** What anybody may do with a LangChain model works with ours, by both APIs. */
import { InMemoryChatMessageHistory } from '@langchain/core/chat_history';
import { type AIMessageChunk, HumanMessage } from '@langchain/core/messages';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { RunnableWithMessageHistory } from '@langchain/core/runnables';
import { tool } from '@langchain/core/tools';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { CONTENT_FILTERED, json, toError } from '../../../dev/azure-openai-emulator/refusals.ts';
import { createApiClient } from '../../../src/lib/model/api-client.ts';
import { PooledChatModel } from '../../../src/lib/model/pooled-chat-model.ts';
import { createHttpClient, type HttpClient } from '../../../src/lib/pool/http-client.ts';
import { type ModelStandIn, startModelStandIn } from '../../support/model-stand-in.ts';
import { toolCall } from '../../support/tool-calls.ts';

const QUESTION = 'What is the capital of France?';
const ANSWER = 'The capital of France is Paris.';
const USAGE = {
  input_tokens: expect.any(Number),
  output_tokens: expect.any(Number),
  total_tokens: expect.any(Number),
};
const OVERLOADED = {
  refusal: json(503, toError('503', 'The service is temporarily unable to process your request.')),
};

let server: ModelStandIn;
let http: HttpClient;
beforeAll(async () => {
  server = await startModelStandIn();
  http = createHttpClient();
});
beforeEach(() => server.reset());
afterAll(async () => {
  await http.close();
  await server.close();
});

const APIS = [
  ['chat', 'deployments'],
  ['chat', 'v1'],
  ['responses', 'deployments'],
  ['responses', 'v1'],
] as const;

const weather = tool(({ city }: { city: string }) => `Sunny in ${city}`, {
  name: 'get_weather',
  description: 'Gives the weather of a city.',
  schema: z.object({ city: z.string().describe('Its name') }),
});

/** The body of the last request. */
const lastBody = (): Record<string, unknown> => {
  const request = server.requests.at(-1) ?? '';
  return JSON.parse(request.slice(request.indexOf(' {') + 1)) as Record<string, unknown>;
};

const joined = async (stream: AsyncIterable<AIMessageChunk>) => {
  const chunks: AIMessageChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const [first, ...rest] = chunks;
  if (!first) throw new Error('no chunk');
  return { chunks, whole: rest.reduce((whole, chunk) => whole.concat(chunk), first) };
};

describe.each(APIS)('by %s at the address of %s', (api, address) => {
  const createModel = (more: object = {}): PooledChatModel => {
    const url = address === 'v1' ? `${server.url}/openai/v1` : server.url;
    const endpoint = { url, api: address, isAzure: true, deployment: 'gpt-4o', apiKey: 'the-key' };
    const client = createApiClient(
      { modelApi: api, apiVersion: '2025-04-01-preview', headers: {} },
      endpoint,
      'the-key',
      http,
    );
    return new PooledChatModel({ api, model: 'gpt-4o', client, ...more });
  };

  it('invoke: the text, the usage once, the model and the finish reason', async () => {
    const message = await createModel().invoke(QUESTION);
    expect(message.content).toBe(ANSWER);
    expect(message.usage_metadata).toMatchObject(USAGE);
    expect(message.response_metadata).toMatchObject({
      finish_reason: 'stop',
      model_name: 'gpt-4o-2024-11-20-emulated',
    });
  });

  it('stream: the same message in pieces, each with its id', async () => {
    const { chunks, whole } = await joined(await createModel().stream(QUESTION));
    expect(whole.content).toBe(ANSWER);
    expect(chunks.filter(({ usage_metadata: usage }) => usage)).toHaveLength(1);
    expect(whole.usage_metadata).toMatchObject(USAGE);
    expect(whole.response_metadata).toMatchObject({
      finish_reason: 'stop',
      model_name: 'gpt-4o-2024-11-20-emulated',
    });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(whole.id).toMatch(/^(chatcmpl|resp)_?-?/);
  });

  it('callbacks get every token, and the whole message at the end', async () => {
    const tokens: string[] = [];
    const ends: string[] = [];
    const callbacks = [
      {
        handleLLMNewToken: (token: string) => void tokens.push(token),
        handleLLMEnd: ({ generations }: { generations: { text: string }[][] }) =>
          void ends.push(generations[0]?.[0]?.text ?? ''),
      },
    ];
    await joined(await createModel({ callbacks }).stream(QUESTION));
    await createModel().invoke(QUESTION, { callbacks });
    expect(tokens.filter(Boolean)).toEqual(['The ', 'capital ', 'of ', 'France ', 'is ', 'Paris.']);
    expect(ends).toEqual([ANSWER, ANSWER]);
  });

  it('batch, pipe and prompts', async () => {
    const prompt = ChatPromptTemplate.fromMessages([
      ['system', 'Be brief.'],
      ['human', 'What is the capital of {country}?'],
    ]);
    const chain = prompt.pipe(createModel()).pipe(new StringOutputParser());
    const answers = await chain.batch([{ country: 'France' }, { country: 'Spain' }]);
    expect(answers).toEqual([ANSWER, 'The capital of Spain is Madrid.']);
    const streamed: string[] = [];
    for await (const text of await chain.stream({ country: 'Italy' })) streamed.push(text);
    expect(streamed.join('')).toBe('The capital of Italy is Rome.');
  });

  it('withStructuredOutput, by a JSON schema and by a function', async () => {
    const schema = z.object({ city: z.string() }).describe('A city');
    const called = toolCall(api, 'city', { city: 'Paris' });
    server.next(called.whole, called.pieces);
    const calling = createModel().withStructuredOutput(schema, { method: 'functionCalling', name: 'city' });
    expect(await calling.invoke(QUESTION)).toEqual({ city: 'Paris' });
    expect(JSON.stringify(lastBody()['tool_choice'])).toContain('"name":"city"');
    const partial: unknown[] = [];
    for await (const each of await calling.stream(QUESTION)) partial.push(each);
    expect(partial.at(-1)).toEqual({ city: 'Paris' });
  });

  it('withStructuredOutput, when the answer itself is JSON, with the raw message', async () => {
    const writing = createModel({}).withStructuredOutput(z.object({ city: z.string() }), {
      includeRaw: true,
    });
    server.answers = () => '{"city":"Paris"}';
    const { parsed, raw } = await writing.invoke(QUESTION);
    expect(parsed).toEqual({ city: 'Paris' });
    expect(raw.text).toBe('{"city":"Paris"}');
    expect(JSON.stringify(lastBody())).toContain('"type":"json_schema"');
    // A plain JSON schema streams objects that grow.
    const growing: unknown[] = [];
    const plain = createModel().withStructuredOutput({ title: 'city', type: 'object', properties: {} });
    for await (const each of await plain.stream(QUESTION)) growing.push(each);
    expect(growing.at(-1)).toEqual({ city: 'Paris' });
  });

  it('bindTools: calls in pieces, and an answer after the result', async () => {
    const calls = toolCall(api, 'get_weather', { city: 'São Paulo' });
    server.next(calls.pieces, calls.whole);
    const model = createModel().bindTools([weather]);
    const { whole } = await joined(await model.stream('Weather?'));
    const expected = [
      { type: 'tool_call', id: 'call_8KqW', name: 'get_weather', args: { city: 'São Paulo' } },
    ];
    expect(whole.tool_calls).toEqual(expected);
    expect(whole.invalid_tool_calls).toEqual([]);
    expect(whole.usage_metadata).toMatchObject(USAGE);
    const message = await model.invoke('Weather?');
    expect(message.tool_calls).toEqual(expected);
    const [call] = message.tool_calls ?? [];
    if (!call) throw new Error('no call');
    const result = await weather.invoke(call);
    for (const asked of [message, whole]) {
      await model.invoke([new HumanMessage('Weather?'), asked, result]);
      expect(JSON.stringify(lastBody())).toContain('Sunny in São Paulo');
      expect(JSON.stringify(lastBody())).toContain('{\\"city\\":\\"São Paulo\\"}');
    }
  });

  it('RunnableWithMessageHistory', async () => {
    const history = new InMemoryChatMessageHistory();
    const chain = new RunnableWithMessageHistory({
      runnable: ChatPromptTemplate.fromMessages([
        new MessagesPlaceholder('history'),
        ['human', '{input}'],
      ]).pipe(createModel()),
      getMessageHistory: () => history,
      inputMessagesKey: 'input',
      historyMessagesKey: 'history',
    });
    const config = { configurable: { sessionId: 'one' } };
    await chain.invoke({ input: QUESTION }, config);
    const message = await chain.invoke({ input: 'What about Spain?' }, config);
    expect(message.text).toBe('The capital of Spain is Madrid.');
    expect(await history.getMessages()).toHaveLength(4);
  });

  it('withRetry and withFallbacks', async () => {
    server.next(OVERLOADED);
    const message = await createModel().withRetry({ stopAfterAttempt: 2 }).invoke(QUESTION);
    expect(message.text).toBe(ANSWER);
    server.next({ refusal: CONTENT_FILTERED });
    const other = createModel().withFallbacks([createModel()]);
    expect((await other.invoke(QUESTION)).text).toBe(ANSWER);
    server.next({ refusal: CONTENT_FILTERED });
    await expect(createModel().invoke(QUESTION)).rejects.toMatchObject({
      status: 400,
      code: 'content_filter',
    });
  });

  it('streamEvents', async () => {
    const texts: string[] = [];
    for await (const { event, data } of createModel().streamEvents(QUESTION, { version: 'v2' })) {
      if (event === 'on_chat_model_stream') texts.push((data.chunk as AIMessageChunk).text);
    }
    expect(texts.join('')).toBe(ANSWER);
    expect(await createModel().streamEvents(QUESTION).text).toBe(ANSWER);
  });

  it('an abort and a time limit end the request', async () => {
    server.next('none', 'none', 'none');
    const controller = new AbortController();
    const invoked = createModel().invoke(QUESTION, { signal: controller.signal });
    const streamed = createModel().stream(QUESTION, { signal: controller.signal });
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    const outcomes = await Promise.allSettled([invoked, streamed]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(outcomes[0]).toMatchObject({ reason });
    await expect(createModel().invoke(QUESTION, { timeout: 20 })).rejects.toThrow(/time|abort/i);
    await server.idle();
  });

  it('a stream can be read as a web stream, and left before its end', async () => {
    const reader = (await createModel().stream(QUESTION)).getReader();
    let text = '';
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value.text;
    expect(text).toBe(ANSWER);
    for await (const chunk of await createModel().stream(QUESTION)) {
      expect(ANSWER).toContain(chunk.text);
      break;
    }
    await (await createModel().stream(QUESTION)).cancel();
    expect((await createModel().invoke(QUESTION)).text).toBe(ANSWER);
  });

  it('a stream that is refused fails before its first chunk, so that a fallback can take over', async () => {
    server.next({ refusal: CONTENT_FILTERED }, { refusal: CONTENT_FILTERED });
    await expect(createModel().stream(QUESTION)).rejects.toMatchObject({ code: 'content_filter' });
    const { whole } = await joined(await createModel().withFallbacks([createModel()]).stream(QUESTION));
    expect(whole.text).toBe(ANSWER);
  });

  it('a stream that is cut off fails, after its text', async () => {
    const { pieces } = toolCall(api, 'get_weather', {});
    if (typeof pieces !== 'object' || !('events' in pieces)) throw new Error('not a stream');
    server.next({ events: pieces.events.slice(0, 2) });
    await expect(joined(await createModel().stream(QUESTION))).rejects.toThrow('without a finish_reason');
  });
});
