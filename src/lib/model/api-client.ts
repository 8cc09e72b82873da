/**
 * Sends requests to the API of one endpoint of the model: chat completions or the Responses API. Rejected: the client
 * `openai`, which takes more CPU time (docs/decisions/model-client.md).
 */
import { createParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import { LoggableError } from '../common/log.ts';
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import type { Exchange, HttpClient } from '../pool/http-client.ts';

/** The events of each network chunk. */
export type EventBatches = AsyncIterable<Iterable<object>>;

/** A client of one endpoint. */
export interface ApiClient {
  /**
   * Sends a body, and gives the parsed response.
   * @throws ApiError when the API refuses or fails, the errors of undici, or the reason of the signal.
   */
  send(body: object, exchange: Exchange): Promise<object>;
  /** The same for a streamed response. */
  stream(body: object, exchange: Exchange): Promise<EventBatches>;
  /**
   * Gets a document of the same server as text.
   * @throws Error when there is none or it is too long, the errors of undici, or the reason of the signal.
   */
  get(url: URL, signal: AbortSignal): Promise<string>;
}

/** A list of 500 models takes 150 KB. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** Enough to recognise an error by its words. */
const MAX_MESSAGE_CHARS = 2000;

/** The properties of OpenAI's error object. Servers omit some, and some send numbers. */
interface ErrorFields {
  message?: unknown;
  code?: unknown;
  type?: unknown;
  param?: unknown;
}

/** An error response. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: unknown;
  readonly type: unknown;
  readonly param: unknown;
  /** False when a server that is not Azure's sent it. */
  readonly isAzure: boolean;
  /** The response headers, with lower-case names. */
  readonly headers: Record<string, string | string[] | undefined>;

  constructor(status: number, text: string, headers: ApiError['headers'], isAzure = true) {
    const { message, code, type, param } = errorIn(text);
    // Some servers send the message alone, as text or in another place.
    super(typeof message === 'string' ? message : text.slice(0, MAX_MESSAGE_CHARS));
    this.status = status;
    this.code = code;
    this.type = type;
    this.param = param;
    this.isAzure = isAzure;
    this.headers = headers;
  }
}

/**
 * The error of a body: in `error`, as an object or as a text (LM Studio, Text Generation Inference), or the body itself
 * (vLLM before 0.10).
 */
function errorIn(text: string): ErrorFields {
  try {
    const body = JSON.parse(text) as ErrorFields & { error?: ErrorFields | string | null };
    return toErrorFields(body.error ?? body);
  } catch {
    // A gateway in front of the API may answer with HTML.
    return {};
  }
}

const toErrorFields = (error: ErrorFields | string): ErrorFields =>
  typeof error === 'string' ? { message: error.slice(0, MAX_MESSAGE_CHARS) } : error;

/** An API key, a function that returns a token, or undefined for a server that needs neither. */
export type Credential = string | (() => Promise<string>) | undefined;

/** Creates the client. */
export function createApiClient(
  config: Pick<ModelConfig, 'modelApi' | 'apiVersion' | 'headers'>,
  endpoint: EndpointConfig,
  credential: Credential,
  http: HttpClient,
): ApiClient {
  const { api, isAzure } = endpoint;
  const url = addressOf(config, endpoint);
  const headersWith = async (usesKeyHeader: boolean): Promise<Record<string, string>> => ({
    ...config.headers,
    accept: 'application/json',
    'user-agent': 'azure-functions-ask',
    ...(await signIn(credential, usesKeyHeader)),
  });
  const request = async (body: object, exchange: Exchange) => {
    const headers = { 'content-type': 'application/json', ...(await headersWith(api === 'deployments')) };
    const response = await http.post(url, { headers, body: JSON.stringify(body) }, exchange);
    const { statusCode } = response;
    if (statusCode < 200 || statusCode >= 300)
      throw new ApiError(statusCode, await response.body.text(), response.headers, isAzure);
    return response.body;
  };
  return {
    send: async (body, exchange) => JSON.parse(await (await request(body, exchange)).text()) as object,
    stream: async (body, exchange) => readEvents(await request(body, exchange)),
    async get(document, signal) {
      // All of Azure's APIs take a key in this header.
      const headers = await headersWith(true);
      const { statusCode, body } = await http.get(document, headers, signal);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_DOCUMENT_BYTES) throw new Error('the document is too long');
      }
      if (statusCode !== 200) throw new Error(`status ${statusCode}`);
      return Buffer.concat(chunks).toString();
    },
  };
}

/** The headers that sign in. A key has a header of its own at Azure's APIs, except for the v1 API of the model. */
async function signIn(credential: Credential, usesKeyHeader: boolean): Promise<Record<string, string>> {
  if (credential === undefined) return {};
  if (typeof credential === 'string' && usesKeyHeader) return { 'api-key': credential };
  const secret = typeof credential === 'string' ? credential : await credential();
  return { authorization: `Bearer ${secret}` };
}

/**
 * The address to keep a connection warm with: one that the server answers. llama.cpp closes the connection after `GET /`,
 * and every OpenAI-compatible server has the list of its models.
 */
export const warmUpUrl = ({ url, isAzure }: EndpointConfig): URL =>
  isAzure ? new URL(new URL(url).origin) : new URL(`${url}/models`);

/** learn.microsoft.com/azure/ai-foundry/openai/reference: only chat completions have a path for each deployment. */
function addressOf(
  { modelApi, apiVersion }: Pick<ModelConfig, 'modelApi' | 'apiVersion'>,
  { url, api, deployment }: EndpointConfig,
): URL {
  const path = modelApi === 'chat' ? '/chat/completions' : '/responses';
  if (api === 'v1') return new URL(url + path);
  const parent = modelApi === 'chat' ? `/openai/deployments/${encodeURIComponent(deployment)}` : '/openai';
  return new URL(`${url}${parent}${path}?api-version=${encodeURIComponent(apiVersion)}`);
}

/** The last event of a stream of chat completions. */
const DONE = '[DONE]';
/** Time limit for what follows the last event. After that the connection is closed. */
const DRAIN_MS = 1000;

/** A stream reported an error. `code` is the code of the service, such as `server_error`, or a status (llama.cpp, vLLM). */
export class StreamFailedError extends Error {
  override readonly name = 'StreamFailedError';
  readonly code: unknown;
  readonly type: unknown;

  constructor({ code, type, message }: ErrorFields) {
    super(typeof message === 'string' ? message : 'the stream reported an error');
    this.code = code ?? undefined;
    this.type = type;
  }
}

/** A stream ended before the answer was complete, even if it was closed cleanly. */
export class StreamCutError extends LoggableError {
  override readonly name = 'StreamCutError';

  constructor() {
    super('the stream of the model ended without a finish_reason');
  }
}

/** Gives the events until the end. A reader that stops before it aborts the response. @throws StreamFailedError. */
export async function* readEvents(body: Dispatcher.ResponseData['body']): EventBatches {
  const decoder = new TextDecoder();
  let batch: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => void batch.push(data) });
  let isDone = false;
  try {
    // `destroyOnReturn` would close an HTTP/1.1 connection after each stream, and one of HTTP/2 after some 2,500.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (batch.length === 0) continue;
      const end = batch.indexOf(DONE);
      isDone = end >= 0;
      yield parse(isDone ? batch.slice(0, end) : batch);
      if (isDone) return;
      batch = [];
    }
  } finally {
    if (isDone) drain(body);
    // Destroying a body that has not ended emits an error, which would end the process without a listener.
    else body.on('error', () => {}).destroy();
  }
}

/** Parses each event when it is its turn: what precedes an invalid one counts. */
function* parse(batch: string[]): Generator<object, void, void> {
  for (const data of batch) {
    const event = JSON.parse(data) as { error?: ErrorFields | string | null };
    // The Responses API reports its errors in events of the type `error`.
    if (event.error) throw new StreamFailedError(toErrorFields(event.error));
    yield event;
  }
}

/** Reads the rest of the response, so that its connection can be used again. */
function drain(body: Dispatcher.ResponseData['body']): void {
  if (body.destroyed) return;
  const closing = new AbortController();
  // Not AbortSignal.timeout, which fires and creates an error even when the response has long ended.
  const timer = setTimeout(() => closing.abort(), DRAIN_MS).unref();
  body
    .dump({ limit: Number.MAX_SAFE_INTEGER, signal: closing.signal })
    .catch(() => {})
    .finally(() => clearTimeout(timer));
}
