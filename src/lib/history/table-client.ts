/** The SDK's client of a table, without the pipeline policies that are not needed here; and the timeout of its calls. */
import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import { TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
import { startTimeLimit } from '../common/pending-work.ts';
import { timedOut } from './storage-error.ts';
import { Pool } from 'undici';

/** Policies of the SDK's pipeline that cost time and have no effect on our calls. */
const UNUSED_POLICIES = [
  'proxyPolicy',
  'decompressResponsePolicy',
  'wrapAbortSignalLikePolicy',
  'formDataPolicy',
  'multipartPolicy',
  'tracingPolicy',
  'redirectPolicy',
];

/** Creates the client of the configured table, and its HTTP client. Nothing is sent. */
export async function createTableClient(
  config: StorageConfig,
): Promise<{ client: TableClient; httpClient: HttpClient }> {
  const httpClient = createStorageHttpClient();
  const client = await connect(config, httpClient);
  for (const name of UNUSED_POLICIES) client.pipeline.removePolicy({ name });
  return { client, httpClient };
}

async function connect(config: StorageConfig, httpClient: HttpClient): Promise<TableClient> {
  const options: TableServiceClientOptions = {
    httpClient,
    retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 400 },
    allowInsecureConnection: true, // Azurite uses plain HTTP; config.ts allows that for local addresses only.
  };
  if ('connectionString' in config) {
    const { connectionString, tableName } = config;
    return TableClient.fromConnectionString(connectionString, tableName, options);
  }
  const { createIdentity } = await import('../common/identity.ts');
  return new TableClient(config.endpoint, config.tableName, createIdentity(config.identity), options);
}

/** The part of a call's options that carries its timeout. */
export interface TimeLimit {
  abortSignal: AbortSignal;
}

/** Makes a call, and aborts it after `ms` milliseconds. @throws StorageError when the call was aborted. */
export async function inTime<T>(call: (limit: TimeLimit) => Promise<T>, ms: number): Promise<T> {
  const controller = new AbortController();
  // Not AbortSignal.timeout, which fires and creates an error even when the call has long finished.
  const end = startTimeLimit(ms, () => controller.abort());
  try {
    return await call({ abortSignal: controller.signal });
  } catch (error) {
    throw controller.signal.aborted ? timedOut(ms) : error;
  } finally {
    end();
  }
}

/** How long idle connections stay open; Azure's own limit is higher. */
const KEEP_ALIVE_MS = 60_000;
const MAX_CONNECTIONS = 64;

/** Creates a client for text bodies; Table Storage has no others. It connects with the first call. */
function createStorageHttpClient(): HttpClient {
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
