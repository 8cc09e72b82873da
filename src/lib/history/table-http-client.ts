/**
 * The HTTP client of the storage SDK, on undici. The SDK's own client, on node:http, needs more CPU for each call
 * (docs/performance.md) and takes longer to load.
 */
import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import { Pool } from 'undici';

/** How long idle connections stay open; Azure's own limit is higher. */
const KEEP_ALIVE_MS = 60_000;
const MAX_CONNECTIONS = 64;

/** Creates a client for text bodies; Table Storage has no others. It connects with the first call. */
export function createStorageHttpClient(): HttpClient {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    const pool =
      pools.get(origin) ??
      new Pool(origin, { connections: MAX_CONNECTIONS, keepAliveTimeout: KEEP_ALIVE_MS });
    pools.set(origin, pool);
    return pool;
  };
  return { sendRequest: (request) => send(poolOf, request) };
}

async function send(poolOf: (origin: string) => Pool, request: PipelineRequest): Promise<PipelineResponse> {
  const { origin, pathname, search } = new URL(request.url);
  const signal = request.abortSignal as AbortSignal | undefined;
  try {
    const { statusCode, headers, body } = await poolOf(origin).request({
      path: pathname + search,
      method: request.method,
      headers: request.headers.toJSON(),
      body: (request.body ?? null) as string | null,
      signal: signal ?? null,
    });
    return {
      request,
      status: statusCode,
      headers: createHttpHeaders(headers as Record<string, string>),
      bodyAsText: await body.text(),
    };
  } catch (error) {
    if (signal?.aborted) throw error;
    // The SDK's retry policy recognizes this code as a failed connection.
    throw Object.assign(new RestError('no response', { code: 'ECONNRESET', request }), { cause: error });
  }
}
