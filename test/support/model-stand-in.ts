/** A model over plain HTTP that keeps the text of each request. Its replies are those of the emulator. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { answerTo } from '../../dev/azure-openai-emulator/answers.ts';
import { readPrompt } from '../../dev/azure-openai-emulator/prompt.ts';
import { INVALID, type RefusedParameter, type Reply, refusalOf } from '../../dev/azure-openai-emulator/refusals.ts';
import { replyTo } from '../../dev/azure-openai-emulator/replies.ts';

/** A running stand-in. */
export interface ModelStandIn {
  url: string;
  /** Method, path, headers and body of each request, each as one line. */
  readonly requests: string[];
  /** Forgets the requests. The next ones are refused when they have one of these parameters. */
  reset(refuses?: RefusedParameter[]): void;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1. */
export async function startModelStandIn(): Promise<ModelStandIn> {
  let requests: string[] = [];
  let refused: RefusedParameter[] = [];
  const reply = (path: string, body: string): Reply => {
    const prompt = readPrompt(body, /\/responses\b/.test(path) ? 'responses' : 'chat');
    if (!prompt) return INVALID;
    return refusalOf(prompt, refused) ?? replyTo(prompt, { answers: answerTo, reasoning: undefined });
  };
  const server = createServer((request, response) => {
    const { method, url: path = '', headers } = request;
    void text(request).then((body) => {
      requests.push(`${method} ${path} ${shown(headers)} ${body}`);
      const { status, headers: replyHeaders, parts } = reply(path, body);
      response.writeHead(status, replyHeaders);
      response.end(parts.join(''));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    reset(refuses = []) {
      requests = [];
      refused = refuses;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Headers of the connection, and the name of the client. */
const NOT_SHOWN = new Set(['host', 'connection', 'content-length', 'user-agent']);

const shown = (headers: IncomingHttpHeaders): string =>
  Object.entries(headers)
    .filter(([name]) => !NOT_SHOWN.has(name))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
