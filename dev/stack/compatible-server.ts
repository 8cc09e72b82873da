/**
 * An OpenAI-compatible server that is not Azure's, over plain HTTP and without a key, as Ollama, vLLM or LM Studio run on
 * a developer's machine: docs.ollama.com/api/openai-compatibility, docs.vllm.ai/en/latest/serving/openai_compatible_server.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { answerTo } from '../azure-openai-emulator/answers.ts';
import { type Prompt, readPrompt } from '../azure-openai-emulator/prompt.ts';

/** How the server differs from OpenAI's. */
export interface CompatibleServerOptions {
  port?: number;
  /** The only model that it has. */
  model?: string;
  /** It does not know `stream_options`, as servers before that parameter. */
  refusesStreamOptions?: boolean;
}

/** A running server. */
export interface CompatibleServer {
  /** Its base address, which ends with `/v1`. */
  url: string;
  /** The paths of all requests, in order of arrival. */
  paths: string[];
  /** The bodies of the requests for completions, in order of arrival. */
  requests: Record<string, unknown>[];
  /** The `Authorization` headers of the requests. */
  authorizations: (string | undefined)[];
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1. */
export async function startCompatibleServer(
  options: CompatibleServerOptions = {},
): Promise<CompatibleServer> {
  const { port = 0, model = 'llama3.2', refusesStreamOptions = false } = options;
  const paths: string[] = [];
  const requests: CompatibleServer['requests'] = [];
  const authorizations: CompatibleServer['authorizations'] = [];
  function handle(path: string, authorization: string | undefined, body: string, response: ServerResponse) {
    paths.push(path);
    if (path !== '/v1/chat/completions') return send(response, 404, '404 page not found');
    const prompt = readPrompt(body, 'chat');
    authorizations.push(authorization);
    requests.push(prompt?.body ?? {});
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
    return complete(response, prompt, model);
  }
  const server = createServer((request, response) => {
    void text(request).then((body) =>
      handle(request.url ?? '', request.headers.authorization, body, response),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    paths,
    requests,
    authorizations,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const fault = (code: number, type: string, message: string) => ({
  object: 'error',
  message,
  type,
  param: null,
  code,
});

/** No ids of the service, no filter results, no details of the usage; and no usage in a stream that did not ask. */
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
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json' });
  response.end(isText ? body : JSON.stringify(body));
}
