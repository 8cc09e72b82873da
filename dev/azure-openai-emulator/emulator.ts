/** An Azure OpenAI chat model for development and tests: TLS, HTTP/2 and HTTP/1.1, faults, a record of what it saw. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Http2SecureServer, Http2ServerRequest } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { localhostCertificate } from '../stack/certificate.ts';
import { carryOut, type Exchange, type Response, send, whenClosed, write } from './exchange.ts';
import { INVALID, NOT_FOUND, refusalOf, type RefusedParameter, WRONG_KEY } from './refusals.ts';
import { type Fault, type Prompt, readPrompt } from './replies.ts';
import { createServer, recordOf, recordSockets, type ServerOptions, type SocketRecord } from './server.ts';

export type { Fault } from './replies.ts';

/** How an emulator is started; all optional. */
export interface EmulatorOptions extends ServerOptions {
  /** On 127.0.0.1; 0, the default, takes a free one. */
  port?: number;
  /** Milliseconds before the first byte of what a chat request gets; 0 by default. */
  latencyMs?: number;
  /** Milliseconds between the events of a stream; 0, the default, sends them all at once. */
  tokenDelayMs?: number;
  /** What the header `api-key`, or a bearer token, must be. */
  apiKey?: string;
  /** What every chat request gets that {@link Emulator.failNext} gives nothing else. */
  fault?: Fault | undefined;
  /** Parameters that the model refuses, as reasoning models do. */
  refuses?: RefusedParameter[] | undefined;
}

/** A chat completion request, recorded on arrival and filled in as it goes on: the prompt when its body has come. */
export interface ChatRequest extends Prompt {
  /** `id` of its connection in `sockets`. */
  socket: number;
  protocol: 'h2' | 'h1';
  deployment: string;
  /** Empty when the request names none. */
  apiVersion: string;
  /** The status sent, null while (or if) none was. */
  status: number | null;
  /** The client closed or reset it before the answer was complete. */
  aborted: boolean;
}

/** A running emulator. */
export interface Emulator {
  readonly url: string;
  readonly apiKey: string;
  /** A PEM file that clients can trust as an authority; removed on close. */
  readonly certificatePath: string;
  /** Chat requests in order of arrival, the last 10,000. */
  readonly requests: ChatRequest[];
  /** Connections in order, numbered from 1. */
  readonly sockets: SocketRecord[];
  /** Counts for the requests that arrive from now on. */
  latencyMs: number;
  /** The same for the events of a stream. */
  tokenDelayMs: number;
  /** The same for the fault that every chat request gets. */
  fault: Fault | undefined;
  /** Parameters that the model refuses. */
  readonly refuses: RefusedParameter[];
  /** The next chat requests that carry the key get these faults, one each, in order. */
  failNext(...faults: Fault[]): void;
  /** Forgets requests, faults and closed connections; the latencies and the fault of all are those of the start again. */
  reset(): void;
  /** Breaks every connection and refuses new ones for `ms` milliseconds, as when the service restarts. */
  pause(ms: number): Promise<void>;
  /** Stops and closes every connection. */
  close: () => Promise<void>;
}

type Request = IncomingMessage | Http2ServerRequest;

const MAX_REQUESTS = 10_000;
/** Of a deployment, or of the v1 API, which takes the deployment as the model and needs no API version. */
const CHAT_PATH = /^\/openai\/(?:v1|deployments\/([^/]+))\/chat\/completions$/;

/** Starts an emulator. @throws Error when the port is taken. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, latencyMs = 0, tokenDelayMs = 0, apiKey = 'emulator-key' } = options;
  const { fault, refuses = [] } = options;
  const certificate = await localhostCertificate();
  const server = createServer(certificate, options);
  const sockets: SocketRecord[] = [];
  const openSockets = recordSockets(server, sockets);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  const folder = mkdtempSync(join(tmpdir(), 'azure-openai-emulator-'));
  const certificatePath = join(folder, 'certificate.pem');
  writeFileSync(certificatePath, certificate.cert);
  const requests: ChatRequest[] = [];
  const faults: Fault[] = [];
  const emulator: Emulator = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    apiKey,
    certificatePath,
    requests,
    sockets,
    latencyMs,
    tokenDelayMs,
    fault,
    refuses,
    failNext: (...next) => void faults.push(...next),
    reset() {
      for (const list of [requests, faults]) list.length = 0;
      sockets.splice(0, sockets.length, ...sockets.filter(({ open }) => open));
      emulator.latencyMs = latencyMs;
      emulator.tokenDelayMs = tokenDelayMs;
      emulator.fault = fault;
    },
    async pause(ms) {
      const address = server.address() as AddressInfo;
      await stopListening(server, openSockets);
      await delay(ms);
      server.listen(address.port, '127.0.0.1');
      await once(server, 'listening');
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
      if (server.listening) await stopListening(server, openSockets);
    },
  };
  server.on('request', (request: Request, response: Response) => {
    void answerRequest(server, emulator, faults, request, response);
  });
  return emulator;
}

async function stopListening(server: Http2SecureServer, sockets: Set<Socket>): Promise<void> {
  server.close();
  for (const socket of sockets) socket.destroy();
  await once(server, 'close');
}

async function answerRequest(
  server: Http2SecureServer,
  emulator: Emulator,
  faults: Fault[],
  request: Request,
  response: Response,
): Promise<void> {
  const record = recordRequest(request, emulator.requests);
  if (!record) {
    request.resume();
    return write(response, NOT_FOUND);
  }
  const { 'api-key': key, authorization } = request.headers;
  const authorized = key === emulator.apiKey || authorization === `Bearer ${emulator.apiKey}`;
  const exchange: Exchange = {
    response,
    record,
    fault: authorized ? (faults.shift() ?? emulator.fault) : undefined,
    tokenDelayMs: emulator.tokenDelayMs,
    cut: false,
  };
  const closed = whenClosed(exchange, () => server.listening);
  const { latencyMs } = emulator;
  // Reading and waiting end early only because the client left, which is recorded already.
  const body = await text(request).catch(() => null);
  if (body === null) return;
  const prompt = readPrompt(body);
  if (prompt) Object.assign(record, prompt);
  const isV1 = record.deployment === '';
  if (isV1 && typeof prompt?.body['model'] === 'string') record.deployment = prompt.body['model'];
  if (latencyMs > 0) await delay(latencyMs, undefined, { signal: closed }).catch(() => {});
  if (closed.aborted) return;
  if (!authorized) return send(exchange, WRONG_KEY);
  if (!record.apiVersion && !isV1) return send(exchange, NOT_FOUND);
  const refusal = prompt ? refusalOf(prompt.body, emulator.refuses) : INVALID;
  if (!prompt || refusal) return send(exchange, refusal ?? INVALID);
  carryOut(exchange, prompt);
}

/** Gives null for what is no chat request. */
function recordRequest(request: Request, requests: ChatRequest[]): ChatRequest | null {
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const match = CHAT_PATH.exec(path);
  const socket = recordOf(request.socket);
  if (request.method !== 'POST' || !match || !socket) return null;
  socket.requests++;
  const record: ChatRequest = {
    socket: socket.id,
    protocol: socket.protocol,
    deployment: match[1] ?? '',
    apiVersion: new URLSearchParams(query).get('api-version') ?? '',
    messages: [],
    body: {},
    stream: false,
    status: null,
    aborted: false,
  };
  requests.push(record);
  if (requests.length > MAX_REQUESTS) requests.shift();
  return record;
}
