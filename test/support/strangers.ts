/** OpenAI-compatible servers that nobody here wrote, from npm. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { vi } from 'vitest';
import { runNode } from '../../dev/stack/child-process.ts';
import { answerTo } from '../../dev/azure-openai-emulator/answers.ts';

/** The question whose streamed answer takes seconds. */
export const SLOW_QUESTION = 'Count slowly, please.';

const SLOW_ANSWER = 'one two three '.repeat(200);
const SLOW_CHUNK_MS = 50;

/** A running server. It knows some capitals, also as follow-ups, and {@link SLOW_QUESTION}. */
export interface Stranger {
  /** Its base address, which ends with `/v1`. */
  url: string;
  /** The next request fails. */
  failNext(failure: Failure): Promise<void>;
  stop(): Promise<void>;
}

/** A failure in OpenAI's words. */
export interface Failure {
  status: number;
  code: string;
  message: string;
}

/** How a server saw a request end. */
export interface SeenRequest {
  path: string;
  /** Before the answer was complete. */
  closedByClient: boolean;
}

/** Watches the HTTP servers of this process. Returns the POST requests of one of them, and how to end the watch. */
export function watch(url: string): { seen: SeenRequest[]; stop: () => void } {
  const port = Number(new URL(url).port);
  const seen: SeenRequest[] = [];
  const onRequest = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    if (request.method !== 'POST' || request.socket.localPort !== port) return;
    const record = { path: request.url ?? '', closedByClient: false };
    seen.push(record);
    response.once('close', () => (record.closedByClient = !response.writableFinished));
  };
  subscribe('http.server.request.start', onRequest);
  return { seen, stop: () => void unsubscribe('http.server.request.start', onRequest) };
}

/** github.com/CopilotKit/aimock. Its streams end with the token counts, if these are asked for. */
export async function startAimock(): Promise<Stranger> {
  const server = new LLMock({ port: 0, host: '127.0.0.1' });
  server.onMessage(SLOW_QUESTION, { content: SLOW_ANSWER }, { latency: SLOW_CHUNK_MS, chunkSize: 4 });
  server.on({ predicate: () => true }, ({ messages }) => ({
    content: answerTo(
      messages.map(({ role, content }) => ({ role, content: typeof content === 'string' ? content : '' })),
    ),
  }));
  await server.start();
  return {
    url: `${server.url}/v1`,
    failNext: async ({ status, ...error }) => void server.nextRequestError(status, error),
    stop: () => server.stop(),
  };
}

interface MockLlm {
  createServer: (
    config: object,
    host: string,
    port: number,
  ) => { listen(port: number, host: string): Server };
}

const completion = (content: string): string =>
  JSON.stringify({
    id: 'chatcmpl-{{timestamp}}',
    object: 'chat.completion',
    model: '{{jmes request body.model}}',
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
  });
const rule = (match: string, content: string) => ({
  path: '/v1/chat/completions',
  match,
  response: { status: 200, content: completion(content) },
});

/** Of several rules that match, the last one is used. */
const RULES = [
  rule('@', 'You said: {{jmes request body.messages[-1].content}}'),
  rule("contains(body.messages[-1].content, 'France')", 'The capital of France is Paris.'),
  rule(
    "length(body.messages) > `3` && contains(body.messages[-1].content, 'Spain')",
    'The capital of Spain is Madrid.',
  ),
  rule(`contains(body.messages[-1].content, '${SLOW_QUESTION}')`, SLOW_ANSWER),
];

/** github.com/dwmkerr/mock-llm. Its answers have no token counts; errors of a stream come within the stream. */
export async function startMockLlm(): Promise<Stranger> {
  const folder = await fetchPackage('@dwmkerr/mock-llm', '0.1.29');
  const { createServer } = createRequire(import.meta.url)(join(folder, 'dist/server.js')) as MockLlm;
  // It prints every request.
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const config = { rules: RULES, streaming: { chunkSize: 4, chunkIntervalMs: SLOW_CHUNK_MS } };
  const server = createServer(config, '127.0.0.1', 0).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configure = (method: string, body: object) =>
    fetch(`${url}/config`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return {
    url: `${url}/v1`,
    async failNext({ status, code, message }) {
      const content = JSON.stringify({ error: { message, type: 'error', param: null, code } });
      const failing = { path: '/v1/chat/completions', sequence: 0, response: { status, content } };
      await configure('DELETE', {});
      await configure('PATCH', { rules: [...RULES, failing] });
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      log.mockRestore();
    },
  };
}

/** Returns the folder of a package that is too large for `npm ci`. It is downloaded once on each machine. */
async function fetchPackage(name: string, version: string): Promise<string> {
  const target = join(tmpdir(), 'azure-functions-ask-packages', `${name}-${version}`);
  const folder = join(target, 'node_modules', name);
  if (existsSync(folder)) return folder;
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error(`Run the tests with "npm test", which downloads ${name}.`);
  mkdirSync(dirname(target), { recursive: true });
  const unfinished = mkdtempSync(`${target}-`);
  const args = ['install', '--prefix', unfinished, '--ignore-scripts', '--no-audit', '--no-fund'];
  const { code, output } = await runNode([npm, ...args, `${name}@${version}`]);
  if (code !== 0) throw new Error(`npm could not install ${name}:\n${output}`);
  try {
    renameSync(unfinished, target);
  } catch (error) {
    // Another test run was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
