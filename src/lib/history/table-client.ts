/** The SDK's client of a table, without the pipeline policies that are not needed here; and the timeout of its calls. */
import { TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
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

/** Creates the client of the configured table. Nothing is sent. */
export async function createTableClient(config: StorageConfig): Promise<TableClient> {
  const client = await connect(config);
  for (const name of UNUSED_POLICIES) client.pipeline.removePolicy({ name });
  return client;
}

async function connect(config: StorageConfig): Promise<TableClient> {
  const options: TableServiceClientOptions = {
    httpClient: createStorageHttpClient(),
    retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 400 },
    allowInsecureConnection: true, // Azurite uses plain HTTP; config.ts allows that for local addresses only.
  };
  if ('connectionString' in config) {
    return TableClient.fromConnectionString(config.connectionString, config.tableName, options);
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
