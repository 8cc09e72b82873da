/** The SDK's client of a table, with what its calls need no part of left out, and the time that a call may take. */
import { TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
import { timedOut } from './storage-error.ts';
import { createStorageHttpClient } from './table-http-client.ts';

/** Steps of the SDK's pipeline that do nothing for our calls but take their time; its own client decompresses. */
const UNUSED_STEPS = [
  'proxyPolicy',
  'decompressResponsePolicy',
  'wrapAbortSignalLikePolicy',
  'formDataPolicy',
  'multipartPolicy',
  'tracingPolicy',
  'redirectPolicy',
];

/** Makes the client of the table that `config` names. Nothing is sent. */
export async function createTableClient(config: StorageConfig): Promise<TableClient> {
  const client = await connect(config);
  for (const name of UNUSED_STEPS) client.pipeline.removePolicy({ name });
  return client;
}

async function connect(config: StorageConfig): Promise<TableClient> {
  const options: TableServiceClientOptions = {
    httpClient: createStorageHttpClient(),
    retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 400 },
    allowInsecureConnection: true, // Azurite speaks HTTP; config.ts allows that on this machine only.
  };
  if ('connectionString' in config) {
    return TableClient.fromConnectionString(config.connectionString, config.tableName, options);
  }
  const { createIdentity } = await import('../runtime/identity.ts');
  return new TableClient(config.endpoint, config.tableName, createIdentity(config.identity), options);
}

/** For the options of a call. */
export interface TimeLimit {
  abortSignal: AbortSignal;
}

/** Makes a call that is aborted when it takes longer than `ms` milliseconds. @throws StorageError then. */
export async function inTime<T>(call: (limit: TimeLimit) => Promise<T>, ms: number): Promise<T> {
  const controller = new AbortController();
  // Not AbortSignal.timeout, which fires, and makes an error, also when the call is long over.
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await call({ abortSignal: controller.signal });
  } catch (error) {
    throw controller.signal.aborted ? timedOut(ms) : error;
  } finally {
    clearTimeout(timer);
  }
}
