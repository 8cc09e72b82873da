/** Clients that nobody here wrote take the emulated service for Azure OpenAI: their answers, streams and errors. */
import { createAzure } from '@ai-sdk/azure';
import { AzureChatOpenAI, ChatOpenAI } from '@langchain/openai';
import OpenAI, { AzureOpenAI } from 'openai';
import { fetch as undiciFetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/app.ts';
import { useDispatcher, useModel } from '../support/fixture.ts';

const emulator = useModel();
const dispatcher = useDispatcher(emulator);

/** The clients trust the emulator's certificate through it. */
const fetch = ((url: string, init: object) =>
  undiciFetch(url, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;

type Role = 'user' | 'assistant';
type Turn = [Role, string];

/** What a request may ask for beside the conversation. */
interface Options {
  temperature?: number;
  signal?: AbortSignal;
}

/** One client, for one of the two APIs. */
interface Client {
  ask(turns: Turn[], options?: Options): Promise<{ text: string; tokens: number | undefined }>;
  stream(turns: Turn[], options?: Options): AsyncIterable<string>;
}

const apiVersion = '2024-10-21';
const messagesOf = (turns: Turn[]) => turns.map(([role, content]) => ({ role, content }));
const azureClient = () =>
  new AzureOpenAI({ endpoint: emulator.url, apiKey: emulator.apiKey, apiVersion, maxRetries: 0, fetch });
const v1Client = () =>
  new OpenAI({ baseURL: `${emulator.url}/openai/v1`, apiKey: emulator.apiKey, maxRetries: 0, fetch });

/** Chat completions, by the address of the deployment or the v1 API. */
const openAiChat = (client: OpenAI, model: string): Client => ({
  async ask(turns, { signal, ...options } = {}) {
    const body = { model, messages: messagesOf(turns), ...options };
    const { choices, usage } = await client.chat.completions.create(body, { signal: signal ?? null });
    return { text: choices[0]?.message.content ?? '', tokens: usage?.completion_tokens };
  },
  async *stream(turns, { signal } = {}) {
    const body = { model, messages: messagesOf(turns), stream: true as const };
    const chunks = await client.chat.completions.create(body, { signal: signal ?? null });
    for await (const { choices } of chunks) if (choices[0]?.delta.content) yield choices[0].delta.content;
  },
});

const openAiResponses = (client: OpenAI, model: string): Client => ({
  async ask(turns, { signal, ...options } = {}) {
    const body = { model, input: messagesOf(turns), ...options };
    const { output_text: text, usage } = await client.responses.create(body, { signal: signal ?? null });
    return { text, tokens: usage?.output_tokens };
  },
  async *stream(turns, { signal } = {}) {
    const events = client.responses.stream({ model, input: messagesOf(turns) }, { signal: signal ?? null });
    for await (const event of events) if (event.type === 'response.output_text.delta') yield event.delta;
    expect((await events.finalResponse()).status).toBe('completed');
  },
});

const langChain = (create: (options: Options) => ChatOpenAI): Client => ({
  async ask(turns, { signal, ...options } = {}) {
    const { text, usage_metadata: usage } = await create(options).invoke(turns, signal && { signal });
    // LangChain's type for it depends on the version of the messages.
    return { text, tokens: (usage as { output_tokens: number } | undefined)?.output_tokens };
  },
  async *stream(turns, { signal } = {}) {
    for await (const chunk of await create({}).stream(turns, signal && { signal }))
      if (chunk.text) yield chunk.text;
  },
});

type VercelModel = ReturnType<ReturnType<typeof createAzure>>;

const promptOf = (turns: Turn[]) =>
  turns.map(([role, text]) => ({ role, content: [{ type: 'text' as const, text }] }));

const vercel = (model: VercelModel): Client => {
  return {
    async ask(turns, { signal, ...options } = {}) {
      const call = { prompt: promptOf(turns), ...options, ...(signal && { abortSignal: signal }) };
      const { content, usage } = await model.doGenerate(call);
      const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
      return { text, tokens: usage.outputTokens.total };
    },
    async *stream(turns, { signal } = {}) {
      const call = { prompt: promptOf(turns), ...(signal && { abortSignal: signal }) };
      const { stream } = await model.doStream(call);
      for await (const part of stream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta') yield part.delta;
      }
    },
  };
};

const vercelAzure = () =>
  createAzure({ baseURL: `${emulator.url}/openai/v1`, apiKey: emulator.apiKey, fetch });

const CLIENTS: [string, (model: string) => Client][] = [
  ['openai, AzureOpenAI', (model) => openAiChat(azureClient(), model)],
  ['openai, the v1 API', (model) => openAiChat(v1Client(), model)],
  ['openai, the Responses API', (model) => openAiResponses(v1Client(), model)],
  [
    'LangChain, AzureChatOpenAI',
    (model) =>
      langChain(
        (options) =>
          new AzureChatOpenAI({
            azureOpenAIEndpoint: emulator.url,
            azureOpenAIApiKey: emulator.apiKey,
            azureOpenAIApiDeploymentName: model,
            azureOpenAIApiVersion: apiVersion,
            maxRetries: 0,
            configuration: { fetch },
            ...options,
          }),
      ),
  ],
  [
    'LangChain, ChatOpenAI with the Responses API',
    (model) =>
      langChain(
        (options) =>
          new ChatOpenAI({
            model,
            apiKey: emulator.apiKey,
            useResponsesApi: true,
            maxRetries: 0,
            configuration: { baseURL: `${emulator.url}/openai/v1`, fetch },
            ...options,
          }),
      ),
  ],
  ['@ai-sdk/azure, chat', (model) => vercel(vercelAzure().chat(model))],
  ['@ai-sdk/azure, responses', (model) => vercel(vercelAzure().responses(model))],
];

/** The status and code of an error, by the names that the clients give them. */
interface Failure {
  status?: number;
  statusCode?: number;
  code?: string;
  data?: { error?: { code?: string } };
}

async function failureOf(call: Promise<unknown>): Promise<[number | undefined, string | undefined]> {
  const error = await call.then(
    (): Failure => ({}),
    (reason: unknown) => reason as Failure,
  );
  return [error.status ?? error.statusCode, error.data?.error?.code ?? error.code];
}

const FRANCE: Turn[] = [['user', 'What is the capital of France?']];
const SPAIN: Turn[] = [...FRANCE, ['assistant', 'Paris.'], ['user', 'What about Spain?']];

describe.each(CLIENTS)('%s', (_, create) => {
  it('gets answers, also to follow-ups, and their tokens', async () => {
    const client = create('gpt-4o');
    expect(await client.ask(FRANCE)).toEqual({ text: 'The capital of France is Paris.', tokens: 8 });
    expect((await client.ask(SPAIN)).text).toBe('The capital of Spain is Madrid.');
    expect(emulator.requests.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('gets a stream in pieces', async () => {
    const pieces: string[] = [];
    for await (const piece of create('gpt-4o').stream(SPAIN)) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toBe('The capital of Spain is Madrid.');
  });

  it('is told what is wrong', async () => {
    expect(await failureOf(create('gpt-5').ask(FRANCE))).toEqual([404, 'DeploymentNotFound']);
    const client = create('gpt-4o');
    expect(await failureOf(client.ask(FRANCE, { temperature: 9 }))).toEqual([400, 'decimal_above_max_value']);
    emulator.failNext({ kind: 'content_filter' }, { kind: 'status', status: 429, retryAfter: '30' });
    expect(await failureOf(client.ask(FRANCE))).toEqual([400, 'content_filter']);
    expect((await failureOf(client.ask(FRANCE)))[0]).toBe(429);
  });

  it('ends the call when it stops reading', async () => {
    emulator.tokenDelayMs = 20;
    emulator.failNext({ kind: 'answer', content: 'word '.repeat(500) });
    const controller = new AbortController();
    const pieces = create('gpt-4o').stream(FRANCE, { signal: controller.signal });
    const read = async () => {
      for await (const piece of pieces) if (piece) controller.abort();
    };
    // Some of them throw, others just end.
    await read().catch(() => {});
    await eventually(() => emulator.requests[0]?.aborted === true);
  });
});
