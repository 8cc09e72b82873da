/** The SDK's client of a table, without the pipeline policies that are not needed here; and the timeout of its calls. */
import type { HttpClient } from '@azure/core-rest-pipeline';
import { TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
import { SHARED_KEY_POLICY, sharedKeyPolicy } from './shared-key.ts';
import { timedOut } from './storage-error.ts';
import { createStorageHttpClient } from './table-http-client.ts';

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
    const client = TableClient.fromConnectionString(connectionString, tableName, options);
    const policy = sharedKeyPolicy(connectionString);
    if (policy && client.pipeline.removePolicy({ name: SHARED_KEY_POLICY }).length > 0)
      client.pipeline.addPolicy(policy);
    return client;
  }
  const { createIdentity } = await import('../runtime/identity.ts');
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
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await call({ abortSignal: controller.signal });
  } catch (error) {
    throw controller.signal.aborted ? timedOut(ms) : error;
  } finally {
    clearTimeout(timer);
  }
}
