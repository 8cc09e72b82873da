/** A model over plain HTTP that keeps the text of each request. Its replies are those of the emulator. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { answerTo } from '../../dev/azure-openai-emulator/answers.ts';
import { refusalOfBody } from '../../dev/azure-openai-emulator/body-refusals.ts';
import { readPrompt } from '../../dev/azure-openai-emulator/prompt.ts';
import { Quota } from '../../dev/azure-openai-emulator/quota.ts';
import {
  INVALID,
  json,
  type RefusedParameter,
  type Reply,
  refusalOf,
} from '../../dev/azure-openai-emulator/refusals.ts';
import { replyTo } from '../../dev/azure-openai-emulator/replies.ts';

/** A whole response, the events of a streamed one, a refusal, or an answer that never comes. */
export type Answer = { body: object } | { events: object[] } | { refusal: Reply } | 'none';

/** A running stand-in. */
export interface ModelStandIn {
  url: string;
  /** Method, path, headers and body of each request, each as one line. */
  readonly requests: string[];
  /** Forgets the requests. The next ones are refused when they have one of these parameters. */
  reset(refuses?: RefusedParameter[]): void;
  /** Answers of the next requests, instead of the emulator's: a JSON body, the events of a stream, or no answer. */
  next(...answers: Answer[]): void;
  /** Gives the answer to a conversation; by default a few known answers. */
  answers: typeof answerTo;
  /** Resolves when no request waits for an answer: its sender has ended it. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1. */
export async function startModelStandIn(): Promise<ModelStandIn> {
  let requests: string[] = [];
  let refused: RefusedParameter[] = [];
  let queue: Answer[] = [];
  const waiting = new Set<ServerResponse>();
  const quota = new Quota();
  const reply = (path: string, body: string): Reply => {
    const prompt = readPrompt(body, /\/responses\b/.test(path) ? 'responses' : 'chat');
    if (!prompt) return INVALID;
    return (
      refusalOfBody(prompt.api, prompt.body) ??
      refusalOf(prompt, refused) ??
      replyTo(prompt, {
        model: 'gpt-4o-2024-11-20-emulated',
        answers: standIn.answers,
        promptCache: null,
        reasoning: undefined,
        quota,
        responses: new Map(),
      })
    );
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url: path = '', headers } = request;
    const body = await text(request);
    requests.push(`${method} ${path} ${shown(headers)} ${body}`);
    const answer = queue.shift();
    if (answer === 'none') {
      waiting.add(response);
      response.once('close', () => waiting.delete(response));
      return;
    }
    const { status, headers: replyHeaders, parts } = answer ? toReply(answer) : reply(path, body);
    response.writeHead(status, replyHeaders);
    response.end(parts.join(''));
  };
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const standIn: ModelStandIn = {
    answers: answerTo,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    reset(refuses = []) {
      requests = [];
      queue = [];
      standIn.answers = answerTo;
      refused = refuses;
    },
    idle: async () => void (await Promise.all([...waiting].map((response) => once(response, 'close')))),
    next: (...more) => void queue.push(...more),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return standIn;
}

function toReply(answer: Exclude<Answer, 'none'>): Reply {
  if ('refusal' in answer) return answer.refusal;
  if ('body' in answer) return json(200, answer.body);
  const data = [...answer.events.map((event) => JSON.stringify(event)), '[DONE]'];
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    parts: data.map((event) => `data: ${event}\n\n`),
  };
}

/** Headers of the connection, and the name of the client. */
const NOT_SHOWN = new Set(['host', 'connection', 'content-length', 'user-agent']);

const shown = (headers: IncomingHttpHeaders): string =>
  Object.entries(headers)
    .filter(([name]) => !NOT_SHOWN.has(name))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
