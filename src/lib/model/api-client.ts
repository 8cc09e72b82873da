/**
 * Sends requests to the API of one endpoint of the model: chat completions or the Responses API. Why not the OpenAI client:
 * docs/decisions/2026-11-26-own-api-client.md.
 */
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import type { HttpClient, PostOptions } from '../pool/http-client.ts';
import { type EventBatches, readEvents } from './event-stream.ts';

/** The options of one request. */
export type ApiCall = Omit<PostOptions, 'headers' | 'body'>;

/** A client of one endpoint. */
export interface ApiClient {
  /**
   * Sends a body, and gives the parsed response.
   * @throws ApiError when the API refuses or fails, the errors of undici, or the reason of the signal.
   */
  send(body: object, call: ApiCall): Promise<object>;
  /** The same for a streamed response. */
  stream(body: object, call: ApiCall): Promise<EventBatches>;
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

/** An error response. The properties are those of OpenAI's error object. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: unknown;
  readonly param: unknown;
  /** The response headers, with lower-case names. */
  readonly headers: Record<string, string | string[] | undefined>;

  constructor(status: number, text: string, headers: ApiError['headers']) {
    const { message, code, param } = errorIn(text);
    // Some servers send the message alone, as text or in another place.
    super(typeof message === 'string' ? message : text.slice(0, MAX_MESSAGE_CHARS));
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }
}

function errorIn(text: string): { message?: unknown; code?: unknown; param?: unknown } {
  try {
    return (JSON.parse(text) as { error?: object }).error ?? {};
  } catch {
    // A gateway in front of the API may answer with HTML.
    return {};
  }
}

/** Creates the client. `credential` is an API key or a function that returns a token. */
export function createApiClient(
  config: ModelConfig,
  endpoint: EndpointConfig,
  credential: string | (() => Promise<string>),
  http: HttpClient,
): ApiClient {
  const url = addressOf(config, endpoint);
  const hasKeyHeader = typeof credential === 'string' && endpoint.api === 'deployments';
  const headersWith = async (usesKeyHeader: boolean): Promise<Record<string, string>> => {
    const secret = typeof credential === 'string' ? credential : await credential();
    return {
      accept: 'application/json',
      'user-agent': 'azure-functions-ask',
      ...(usesKeyHeader ? { 'api-key': secret } : { authorization: `Bearer ${secret}` }),
    };
  };
  const request = async (body: object, call: ApiCall) => {
    const response = await http.post(url, {
      ...call,
      headers: { 'content-type': 'application/json', ...(await headersWith(hasKeyHeader)) },
      body: JSON.stringify(body),
    });
    const { statusCode, headers } = response;
    if (statusCode < 200 || statusCode >= 300)
      throw new ApiError(statusCode, await response.body.text(), headers);
    return response.body;
  };
  return {
    send: async (body, call) => JSON.parse(await (await request(body, call)).text()) as object,
    stream: async (body, call) => readEvents(await request(body, call)),
    async get(document, signal) {
      // All of Azure's APIs take a key in this header.
      const headers = await headersWith(typeof credential === 'string');
      const { statusCode, body } = await http.get(document, { headers, signal });
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

/** learn.microsoft.com/azure/ai-foundry/openai/reference: only chat completions have a path for each deployment. */
function addressOf({ modelApi, apiVersion }: ModelConfig, { url, api, deployment }: EndpointConfig): URL {
  const path = modelApi === 'chat' ? '/chat/completions' : '/responses';
  if (api === 'v1') return new URL(url + path);
  const parent = modelApi === 'chat' ? `/openai/deployments/${encodeURIComponent(deployment)}` : '/openai';
  return new URL(`${url}${parent}${path}?api-version=${encodeURIComponent(apiVersion)}`);
}
