/** Rows in Azure Table Storage. */
import { odata, RestError, TableClient, type TableServiceClientOptions } from '@azure/data-tables';
import type { StorageConfig } from './config.ts';
import { createStorageHttpClient } from './storage-http-client.ts';
import { type Properties, type Row, type RowAction, RowConflictError, type RowStore } from './row-store.ts';

/** Longest wait for one call. The SDK's own default waits for ever and retries for 4 to 5 s. */
const CALL_TIMEOUT_MS = 1500;
/** As many as one answer of Table Storage holds. */
const PAGE_ROWS = 1000;

interface Entity extends Record<string, unknown> {
  partitionKey?: string;
  rowKey?: string;
  etag?: string;
}

/** Opens the table that `config` names; it is made by the first write that misses it. Nothing is sent before that. */
export async function createTableRowStore(config: StorageConfig): Promise<RowStore> {
  const client = await createClient(config);

  /** Writes, and makes the table when it is missing. */
  async function write<T>(send: (limit: TimeLimit) => Promise<T>, mayMakeTable = true): Promise<T> {
    try {
      return await inTime(send);
    } catch (error) {
      if (!mayMakeTable || !isTableNotFound(error)) throw toConflict(error);
    }
    await inTime((limit) => client.createTable(limit));
    return write(send, false);
  }

  async function listPages(filter: string, limit: number, select?: string[]): Promise<Entity[]> {
    const queryOptions = { filter, ...(select && { select }) };
    const entities: Entity[] = [];
    try {
      await inTime(async (timeout) => {
        const pages = client.listEntities({ queryOptions, ...timeout });
        // Storage may answer with a short page and a token to go on; a full page is all we asked for.
        for await (const page of pages.byPage({ maxPageSize: Math.min(limit, PAGE_ROWS) })) {
          entities.push(...page);
          if (entities.length >= limit) break;
        }
      });
    } catch (error) {
      if (!isTableNotFound(error)) throw error;
    }
    return entities.slice(0, limit);
  }

  return {
    async list(partition, { from = '', to, limit = Infinity, keysOnly } = {}) {
      const start = odata`PartitionKey eq ${partition} and RowKey ge ${from}`;
      const filter = to === undefined ? start : `${start} and ${odata`RowKey lt ${to}`}`;
      const entities = await listPages(filter, limit, keysOnly ? ['RowKey'] : undefined);
      return entities.map(toRow);
    },
    async get(partition, key) {
      try {
        return toRow(await inTime((limit) => client.getEntity<Entity>(partition, key, limit)));
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    async insert(partition, key, properties) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      return (await write((limit) => client.createEntity(entity, limit))).etag ?? '';
    },
    async replace(partition, key, properties, etag) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      return (await write((limit) => client.updateEntity(entity, 'Replace', { etag, ...limit }))).etag ?? '';
    },
    async merge(partition, key, properties) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      await write((limit) => client.upsertEntity(entity, 'Merge', limit));
    },
    async transact(partition, actions) {
      await write((limit) =>
        client.submitTransaction(
          actions.map((action) => toAction(partition, action)),
          limit,
        ),
      );
    },
    async remove(partition, keys) {
      const actions = keys.map((key) => ['delete', { partitionKey: partition, rowKey: key }] as const);
      try {
        await inTime((limit) =>
          client.submitTransaction(
            actions.map(([type, entity]) => [type, entity]),
            limit,
          ),
        );
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
        // One is gone already, so none was removed: one by one, then.
        await Promise.all(keys.map((key) => removeOne(client, partition, key)));
      }
    },
    async *scan(after, properties, signal) {
      const filter = odata`PartitionKey gt ${after}`;
      const queryOptions = { filter, select: ['PartitionKey', 'RowKey', ...properties] };
      const pages = client.listEntities<Entity>({ queryOptions, abortSignal: signal });
      for await (const page of pages.byPage({ maxPageSize: PAGE_ROWS })) {
        yield page.map((entity) => ({ ...toRow(entity), partition: entity.partitionKey ?? '' }));
      }
    },
  };
}

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

async function createClient(config: StorageConfig): Promise<TableClient> {
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
  const { createIdentity } = await import('./identity.ts');
  return new TableClient(config.endpoint, config.tableName, createIdentity(config.identity), options);
}

/** For the options of a call. */
interface TimeLimit {
  abortSignal: AbortSignal;
}

/** Makes a call that is aborted when it takes too long. */
async function inTime<T>(call: (limit: TimeLimit) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  // Not AbortSignal.timeout, which fires, and makes an error, also when the call is long over.
  const timer = setTimeout(() => {
    controller.abort(new Error(`Table Storage did not answer within ${CALL_TIMEOUT_MS} ms.`));
  }, CALL_TIMEOUT_MS);
  try {
    return await call({ abortSignal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

async function removeOne(client: TableClient, partition: string, key: string): Promise<void> {
  try {
    await inTime((limit) => client.deleteEntity(partition, key, limit));
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}

function toAction(partition: string, { type, key, properties, ...rest }: RowAction) {
  const entity = { partitionKey: partition, rowKey: key, ...properties };
  if (type === 'insert') return ['create', entity] as ['create', typeof entity];
  const { etag } = rest as { etag: string };
  return ['update', entity, 'Replace', { etag }] as ['update', typeof entity, 'Replace', { etag: string }];
}

/** The names of keys and times are among the properties; ours are others. */
function toRow(entity: Entity): Row {
  const { rowKey = '', etag = '' } = entity;
  return { key: rowKey, properties: entity as Properties, etag };
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof RestError ? error.statusCode : undefined;

const errorCode = (error: unknown): string | undefined =>
  // `details` is untyped in the SDK.
  error instanceof RestError
    ? (error.details as { odataError?: { code?: string } } | undefined)?.odataError?.code
    : undefined;

const isTableNotFound = (error: unknown): boolean =>
  errorCode(error) === 'TableNotFound' || (error instanceof RestError && error.code === 'TableNotFound');

function toConflict(error: unknown): unknown {
  const status = statusOf(error);
  return status === 409 || status === 412 || status === 404
    ? new RowConflictError('the row is not as expected', { cause: error })
    : error;
}
