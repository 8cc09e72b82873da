/** Clients of other makers use the OpenAI API by its address: LangChain, Vercel's AI SDK, and xsAI. */
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText } from '@xsai/generate-text';
import { streamText } from '@xsai/stream-text';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually, newQuestion } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ enableAuth: true, env: { FINISH_ABANDONED: 'off' } });

type Turn = ['user' | 'assistant', string];

/** One client, for one of the two operations. */
interface Client {
  ask(turns: Turn[], temperature?: number): Promise<{ text: string; tokens: number | undefined }>;
  stream(turns: Turn[], signal?: AbortSignal): AsyncIterable<string>;
}

const baseURL = () => `${app.url}/v1`;
const headers = () => ({ 'x-functions-key': app.host.functionKey });
const apiKey = 'unused';
const messagesOf = (turns: Turn[]) => turns.map(([role, content]) => ({ role, content }));

const langChain = (useResponsesApi: boolean): Client => {
  const create = (temperature?: number) =>
    new ChatOpenAI({
      model: 'default',
      apiKey,
      useResponsesApi,
      maxRetries: 0,
      configuration: { baseURL: baseURL(), defaultHeaders: headers() },
      ...(temperature !== undefined && { temperature }),
    });
  return {
    async ask(turns, temperature) {
      const { text, usage_metadata: usage } = await create(temperature).invoke(turns);
      return { text, tokens: (usage as { output_tokens: number } | undefined)?.output_tokens };
    },
    async *stream(turns, signal) {
      for await (const chunk of await create().stream(turns, signal && { signal }))
        if (chunk.text) yield chunk.text;
    },
  };
};

type VercelModel = ReturnType<ReturnType<typeof createOpenAI>>;

const promptOf = (turns: Turn[]) =>
  turns.map(([role, text]) => ({ role, content: [{ type: 'text' as const, text }] }));

const vercel = (create: () => VercelModel): Client => ({
  async ask(turns, temperature) {
    const call = { prompt: promptOf(turns), ...(temperature !== undefined && { temperature }) };
    const { content, usage } = await create().doGenerate(call);
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
    return { text, tokens: usage.outputTokens.total };
  },
  async *stream(turns, signal) {
    const call = { prompt: promptOf(turns), ...(signal && { abortSignal: signal }) };
    const { stream } = await create().doStream(call);
    for await (const part of stream) {
      if (part.type === 'error') throw part.error;
      if (part.type === 'text-delta') yield part.delta;
    }
  },
});
const openAi = () => createOpenAI({ baseURL: baseURL(), apiKey, headers: headers() });
const compatible = () =>
  createOpenAICompatible({
    name: 'ask',
    baseURL: baseURL(),
    apiKey,
    headers: headers(),
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

const xsAiOptions = () => ({ baseURL: baseURL(), apiKey, headers: headers(), model: 'default' });
const xsAi = (): Client => {
  return {
    async ask(turns, temperature) {
      const more = temperature === undefined ? {} : { temperature };
      const { text, usage } = await generateText({ ...xsAiOptions(), messages: messagesOf(turns), ...more });
      return { text: text ?? '', tokens: usage.completion_tokens };
    },
    async *stream(turns, signal) {
      const options = {
        ...xsAiOptions(),
        messages: messagesOf(turns),
        ...(signal && { abortSignal: signal }),
      };
      const { textStream, ...others } = streamText(options);
      // They reject as the stream does.
      for (const other of Object.values(others)) if (other instanceof Promise) other.catch(() => {});
      yield* textStream;
    },
  };
};

const CLIENTS: [string, () => Client][] = [
  ['LangChain, chat completions', () => langChain(false)],
  ['LangChain, responses', () => langChain(true)],
  ['@ai-sdk/openai, responses', () => vercel(() => openAi()('default'))],
  ['@ai-sdk/openai, chat', () => vercel(() => openAi().chat('default'))],
  ['@ai-sdk/openai-compatible', () => vercel(() => compatible()('default'))],
  ['xsAI', xsAi],
];

const CONVERSATION: Turn[] = [
  ['user', 'What is the capital of France?'],
  ['assistant', 'The capital of France is Paris.'],
  ['user', 'What about Spain?'],
];
const MADRID = 'The capital of Spain is Madrid.';

const textOf = async (pieces: AsyncIterable<string>): Promise<string> => {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
};

describe.each(CLIENTS)('%s', (_, create) => {
  it('asks with its messages, as a whole and as a stream', async () => {
    const client = create();
    const { text, tokens } = await client.ask(CONVERSATION);
    expect(text).toBe(MADRID);
    expect(tokens).toBeGreaterThan(0);
    expect(await textOf(client.stream(CONVERSATION))).toBe(MADRID);
  });

  it('gets a cached answer, unless a parameter differs', async () => {
    const client = create();
    const turns: Turn[] = [['user', newQuestion()]];
    const first = await client.ask(turns, 0.5);
    expect(await client.ask(turns, 0.5)).toEqual(first);
    expect(app.emulator.requests).toHaveLength(1);
    await client.ask(turns, 0.6);
    expect(app.emulator.requests.map(({ body }) => body['temperature'])).toEqual([0.5, 0.6]);
  });

  it('ends the model call when it leaves', async () => {
    app.emulator.tokenDelayMs = 200;
    const leaving = new AbortController();
    const reading = (async () => {
      for await (const piece of create().stream([['user', newQuestion()]], leaving.signal))
        if (piece !== '') leaving.abort();
    })();
    await reading.catch(() => {});
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });

  it('throws the error with its words', async () => {
    app.emulator.failNext({ kind: 'content_filter' });
    await expect(create().ask([['user', newQuestion()]])).rejects.toThrow(
      "The model's content filter refused",
    );
  });
});

it('LangChain gets structured answers', async () => {
  app.emulator.failNext({ kind: 'answer', content: '{"city": "Paris"}' });
  const model = new ChatOpenAI({
    model: 'default',
    apiKey,
    maxRetries: 0,
    configuration: { baseURL: baseURL(), defaultHeaders: headers() },
  }).withStructuredOutput(z.object({ city: z.string() }), { name: 'place', method: 'jsonSchema' });
  expect(await model.invoke(newQuestion())).toEqual({ city: 'Paris' });
});

it.each([
  ['@ai-sdk/openai', () => openAi()('default')],
  ['@ai-sdk/openai-compatible', () => compatible()('default')],
])('%s asks for an answer by a schema', async (_, create) => {
  await create().doGenerate({
    prompt: promptOf([['user', newQuestion()]]),
    responseFormat: { type: 'json', name: 'place', schema: { type: 'object', properties: {} } },
  });
  expect(app.emulator.requests[0]?.body['response_format']).toMatchObject({
    type: 'json_schema',
    json_schema: { name: 'place' },
  });
});

it('a client without a field for headers has the key in its address', async () => {
  const client = new OpenAI({ baseURL: baseURL(), apiKey, defaultQuery: { code: app.host.functionKey } });
  expect((await client.models.list()).data.map(({ id }) => id)).toContain('default');
  const withoutKey = new OpenAI({ baseURL: baseURL(), apiKey, maxRetries: 0 });
  await expect(withoutKey.models.list()).rejects.toMatchObject({ status: 401 });
});

type Prompt = Parameters<VercelModel['doGenerate']>[0]['prompt'];
const userSays = (text: string): Prompt => [{ role: 'user', content: [{ type: 'text', text }] }];

/** Asks after the messages of a conversation, and gives it with the answer, as the package `ai` does. */
const goOn = async (before: Prompt, question: string): Promise<{ text: string; prompt: Prompt }> => {
  const prompt = [...before, ...userSays(question)];
  const { content } = await openAi()('default').doGenerate({ prompt });
  const parts = content.flatMap((part) => (part.type === 'text' ? [part] : []));
  const answer = parts.map(({ type, text, providerMetadata }) => ({
    type,
    text,
    ...(providerMetadata && { providerOptions: providerMetadata }),
  }));
  const text = parts.map((part) => part.text).join('');
  return { text, prompt: [...prompt, { role: 'assistant', content: answer }] };
};

describe('the AI SDK refers to its earlier answers', () => {
  it('and gets on with the conversation', async () => {
    const system: Prompt = [{ role: 'system', content: 'Be brief.' }];
    const first = await goOn(system, 'What is the capital of France?');
    const second = await goOn(first.prompt, 'What about Spain?');
    expect(second.text).toBe(MADRID);
    const third = await goOn(second.prompt, newQuestion());
    expect(third.text).not.toBe('');
    expect(app.emulator.requests.at(-1)?.messages).toHaveLength(6);
  });

  it('and begins a branch after an edited question', async () => {
    const first = await goOn([], 'What is the capital of France?');
    await goOn(first.prompt, newQuestion());
    const edited = await goOn(first.prompt, 'What about Spain?');
    expect(edited.text).toBe(MADRID);
    await goOn(edited.prompt, newQuestion());
    expect(app.emulator.requests.at(-1)?.messages.map(({ content }) => content)).toContain(MADRID);
  });

  it('and is refused when its messages are another conversation', async () => {
    const first = await goOn([], 'What is the capital of France?');
    const [, ...answer] = first.prompt;
    const wrong = goOn([...userSays('Something else'), ...answer], 'What about Spain?');
    await expect(wrong).rejects.toThrow('another conversation');
  });
});
