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
}

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
  const request = async (body: object, call: ApiCall) => {
    const secret = typeof credential === 'string' ? credential : await credential();
    const response = await http.post(url, {
      ...call,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'user-agent': 'azure-functions-ask',
        ...(hasKeyHeader ? { 'api-key': secret } : { authorization: `Bearer ${secret}` }),
      },
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
  };
}

/** learn.microsoft.com/azure/ai-foundry/openai/reference: only chat completions have a path for each deployment. */
function addressOf({ modelApi, apiVersion }: ModelConfig, { url, api, deployment }: EndpointConfig): URL {
  const path = modelApi === 'chat' ? '/chat/completions' : '/responses';
  if (api === 'v1') return new URL(url + path);
  const parent = modelApi === 'chat' ? `/openai/deployments/${encodeURIComponent(deployment)}` : '/openai';
  return new URL(`${url}${parent}${path}?api-version=${encodeURIComponent(apiVersion)}`);
}
