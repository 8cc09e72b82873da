/**
 * An emulated Azure OpenAI chat model for development and tests. It serves HTTP/2 and HTTP/1.1 over TLS, produces
 * faults on demand, and records connections and requests. Rejected: Microsoft's aoai-api-simulator (Python, not kept up), and
 * validation with the whole specification (660 kB, without fields that Azure accepts): docs/decisions/local-stack.md.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Http2SecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { localhostCertificate } from '../stack/certificate.ts';
import { answerTo, type Message } from './answers.ts';
import { type ChatRequest, recordRequest, type Request } from './chat-request.ts';
import {
  type Exchange,
  type Reasoning,
  respond,
  type Response,
  send,
  whenClosed,
  write,
} from './exchange.ts';
import {
  INVALID,
  NOT_FOUND,
  REFUSED_BY_GPT_4O,
  REFUSED_BY_REASONING_MODELS,
  type RefusedParameter,
} from './refusals.ts';
import type { Fault, LastingFault } from './faults.ts';
import { type Catalogue, isListRequest, listReply } from './catalogue.ts';
import { MODEL } from './completions.ts';
import { readPrompt } from './prompt.ts';
import { PromptCache, type PromptCacheOptions } from './prompt-cache.ts';
import { Quota } from './quota.ts';
import type { Model } from './replies.ts';
import { refusalOfRequest } from './request-refusals.ts';
import { createServer, recordSockets, type ServerOptions, type SocketRecord } from './server.ts';

export type { Fault } from './faults.ts';

/** Options of {@link startEmulator}. */
export interface EmulatorOptions extends ServerOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  port?: number;
  /** Milliseconds before the first byte of a chat response; 0 by default. */
  latencyMs?: number;
  /** Milliseconds between the events of a stream; 0, the default, sends all of them at once. */
  tokenDelayMs?: number;
  /** The required value of the header `api-key` or of the bearer token. */
  apiKey?: string;
  /** The fault of every chat request for which {@link Emulator.failNext} has queued none. */
  fault?: LastingFault | undefined;
  /** The names of the deployments; `gpt-4o` by default. */
  deployments?: readonly string[];
  /** Request parameters that the model refuses; by default those that GPT-4o, or a reasoning model, refuses. */
  refuses?: RefusedParameter[] | undefined;
  /** Makes it a reasoning model. */
  reasoning?: Reasoning | undefined;
  /** Name and version of the model; by default one that says that it is emulated. */
  model?: string;
  /** The lists of models; without them the emulator replies 404, as servers that have none. */
  catalogue?: Catalogue | undefined;
  /** The prompt cache of the model; by default no token is cached. */
  promptCache?: PromptCacheOptions | undefined;
  /** Gives the answer to a conversation; by default a few known answers (answers.ts). */
  answers?: ((messages: Message[]) => string) | undefined;
}

/** A running emulator. */
export interface Emulator {
  readonly url: string;
  readonly apiKey: string;
  /** A PEM file that clients can trust as a certificate authority; removed on close. */
  readonly certificatePath: string;
  /** Chat requests in order of arrival, the last 10,000. */
  readonly requests: ChatRequest[];
  /** Connections in the order in which they were opened, numbered from 1. */
  readonly sockets: SocketRecord[];
  /** A change applies to requests that arrive later. */
  latencyMs: number;
  /** A change applies to requests that arrive later. */
  tokenDelayMs: number;
  /** The fault of every chat request. A change applies to requests that arrive later. */
  fault: LastingFault | undefined;
  /** Name and version of the model. A change applies to requests that arrive later. */
  model: string;
  /** The lists of models. A change applies to requests that arrive later. */
  catalogue: Catalogue | undefined;
  /** The addresses of the requests for a list of models, in order of arrival. */
  readonly catalogueRequests: string[];
  /** Parameters that the model refuses. */
  readonly refuses: RefusedParameter[];
  /** Queues faults: each of the next chat requests with the right key gets one, in order. */
  failNext(...faults: Fault[]): void;
  /** Deletes requests, queued faults and closed connections; restores the initial latencies and the initial `fault`. */
  reset(): void;
  /** Breaks every connection and refuses new ones for `ms` milliseconds, like a restart of the service. */
  pause(ms: number): Promise<void>;
  /** Stops and closes every connection. */
  close: () => Promise<void>;
}

/** Starts an emulator. @throws Error when the port is taken. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, latencyMs = 0, tokenDelayMs = 0, apiKey = 'emulator-key' } = options;
  const { fault, model = MODEL, catalogue, reasoning, answers = answerTo } = options;
  const { deployments = ['gpt-4o'] } = options;
  const { refuses = reasoning ? REFUSED_BY_REASONING_MODELS : REFUSED_BY_GPT_4O } = options;
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
    model,
    catalogue,
    catalogueRequests: [],
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
  const promptCache = options.promptCache ? new PromptCache(options.promptCache) : null;
  const parts = { reasoning, promptCache, answers, quota: new Quota(), responses: new Map() };
  server.on('request', (request: Request, response: Response) => {
    void handleRequest({ server, emulator, faults, deployments, parts }, request, response);
  });
  return emulator;
}

async function stopListening(server: Http2SecureServer, sockets: Set<Socket>): Promise<void> {
  server.close();
  for (const socket of sockets) socket.destroy();
  await once(server, 'close');
}

interface Running {
  server: Http2SecureServer;
  emulator: Emulator;
  /** The faults of the next requests. */
  faults: Fault[];
  deployments: readonly string[];
  /** The parts of the model that do not change. */
  parts: Omit<Model, 'model'> & Pick<Exchange, 'reasoning'>;
}

const faultOf = ({ fault }: Emulator): Fault | undefined => (typeof fault === 'function' ? fault() : fault);

async function handleRequest(
  { server, emulator, faults, deployments, parts }: Running,
  request: Request,
  response: Response,
): Promise<void> {
  const { 'api-key': key, authorization } = request.headers;
  const authorized = key === emulator.apiKey || authorization === `Bearer ${emulator.apiKey}`;
  if (isListRequest(request)) {
    request.resume();
    emulator.catalogueRequests.push(request.url ?? '');
    const list = listReply(request, emulator.catalogue, authorized);
    return list === null ? undefined : write(response, list);
  }
  const record = recordRequest(request, emulator.requests);
  if (!record) {
    request.resume();
    return write(response, NOT_FOUND);
  }
  const exchange: Exchange = {
    response,
    record,
    fault: authorized ? (faults.shift() ?? faultOf(emulator)) : undefined,
    tokenDelayMs: emulator.tokenDelayMs,
    ...parts,
    model: emulator.model,
    endedByEmulator: false,
  };
  const closed = whenClosed(exchange, () => server.listening);
  const { latencyMs } = emulator;
  // Reading and waiting end early only when the client disconnected, which `whenClosed` records.
  const body = await text(request).catch(() => null);
  if (body === null) return;
  const prompt = readPrompt(body, record.api);
  if (prompt) Object.assign(record, prompt);
  if (record.deployment === '' && typeof prompt?.body['model'] === 'string')
    record.deployment = prompt.body['model'];
  // A plain answer is sent when the model has finished thinking; a stream begins before.
  const silenceMs = latencyMs + (prompt?.stream ? 0 : (parts.reasoning?.thinkMs ?? 0));
  if (silenceMs > 0) await delay(silenceMs, undefined, { signal: closed }).catch(() => {});
  if (closed.aborted) return;
  const { refuses } = emulator;
  const resource = { deployments, refuses, responses: parts.responses };
  const refusal = refusalOfRequest({ ...record, prompt, authorized }, resource);
  if (refusal || !prompt) return send(exchange, refusal ?? INVALID);
  respond(exchange, prompt);
}
