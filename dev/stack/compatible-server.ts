/**
 * An OpenAI-compatible server that is not Azure's, over plain HTTP and without a key, as Ollama, vLLM or LM Studio run on
 * a developer's machine: docs.ollama.com/api/openai-compatibility, docs.vllm.ai/en/latest/serving/openai_compatible_server.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { answerTo } from '../azure-openai-emulator/answers.ts';
import { type Prompt, readPrompt } from '../azure-openai-emulator/prompt.ts';

/** How the server differs from OpenAI's. */
export interface CompatibleServerOptions {
  port?: number;
  /** The only model that it has. */
  model?: string;
  /** It does not know `stream_options`, as servers before that parameter. */
  refusesStreamOptions?: boolean;
  /** Answers that it generates at once; further requests wait in its queue, as in llama.cpp. No limit by default. */
  slots?: number;
  /** How long it generates each answer. Nothing is sent before. */
  generateMs?: number;
}

/** A reply with the bytes of a real server. */
export interface RawReply {
  status: number;
  /** An object is sent as JSON; a text that begins with `data:` or `event:` as a stream. */
  body: object | string;
}

/** A running server. */
export interface CompatibleServer {
  /** Its base address, which ends with `/v1`. */
  url: string;
  /** The bodies of the requests for completions, in order of arrival. */
  requests: Record<string, unknown>[];
  /** The headers of the requests. */
  headers: IncomingHttpHeaders[];
  /** The paths of all requests, in order of arrival. */
  paths: string[];
  /** Replies to the next requests, of any kind. */
  next(...replies: RawReply[]): void;
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1. */
export async function startCompatibleServer(
  options: CompatibleServerOptions = {},
): Promise<CompatibleServer> {
  const { port = 0, model = 'llama3.2', refusesStreamOptions = false } = options;
  const { slots = Infinity, generateMs = 0 } = options;
  const requests: CompatibleServer['requests'] = [];
  const headers: CompatibleServer['headers'] = [];
  const paths: string[] = [];
  const queue: RawReply[] = [];
  const generate = createSlots(slots, generateMs);
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: path = '' } = request;
    paths.push(path);
    const body = await text(request);
    if (path === '/v1/models') return send(response, 200, listOf(model));
    // llama.cpp's server ends the connection of a request that it does not know.
    if (path !== '/v1/chat/completions' && path !== '/v1/responses') {
      response.shouldKeepAlive = false;
      return send(response, 404, '404 page not found');
    }
    const prompt = readPrompt(body, path === '/v1/responses' ? 'responses' : 'chat');
    headers.push(request.headers);
    requests.push(prompt?.body ?? {});
    const raw = queue.shift();
    if (raw) return send(response, raw.status, raw.body);
    if (!prompt?.messages.length)
      return send(response, 400, fault(400, 'BadRequestError', 'invalid request'));
    // vLLM's errors have the fields at the top, and a number as their code.
    if (prompt.body['model'] !== model) {
      return send(response, 404, fault(404, 'NotFoundError', `The model does not exist.`));
    }
    if (refusesStreamOptions && 'stream_options' in prompt.body) {
      const message = 'Unrecognized request argument supplied: stream_options';
      return send(response, 400, { error: { message } });
    }
    await generate(() => response.destroyed);
    return complete(response, prompt, model);
  }
  const server = createServer((request, response) => void handle(request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    headers,
    paths,
    next: (...replies) => void queue.push(...replies),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Gives a function that waits for a slot, and then as long as an answer takes, unless the caller has left. */
function createSlots(count: number, generateMs: number): (isAbandoned: () => boolean) => Promise<void> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (isAbandoned) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    if (!isAbandoned()) await delay(generateMs);
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
}

const listOf = (model: string) => ({
  object: 'list',
  data: [{ id: model, object: 'model', owned_by: 'me' }],
});

const fault = (code: number, type: string, message: string) => ({
  object: 'error',
  message,
  type,
  param: null,
  code,
});

/** No ids of the service, no filter results, no details of the usage; and no usage in a stream whose request did not include it. */
function complete(response: ServerResponse, { messages, body, stream }: Prompt, model: string): void {
  const content = answerTo(messages);
  const head = {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: `${model}-emulated`,
  };
  const usage = { prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 };
  if (!stream) {
    const message = { role: 'assistant', content };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    return send(response, 200, { ...head, object: 'chat.completion', choices, usage });
  }
  const chunk = (delta: object, finishReason: string | null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  });
  const words = content.split(/(?<=\s)/);
  const chunks = [
    ...words.map((word) => chunk({ role: 'assistant', content: word }, null)),
    chunk({ role: 'assistant', content: '' }, 'stop'),
    ...('stream_options' in body ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage }] : []),
  ];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(
    [...chunks.map((each) => JSON.stringify(each)), '[DONE]'].map((data) => `data: ${data}\n\n`).join(''),
  );
}

function send(response: ServerResponse, status: number, body: object | string): void {
  if (typeof body !== 'string') {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    return;
  }
  const isStream = /^(?:data|event):/.test(body);
  response.writeHead(status, { 'content-type': isStream ? 'text/event-stream' : 'text/plain' }).end(body);
}
