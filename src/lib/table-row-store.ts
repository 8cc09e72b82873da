/** Rows in Azure Table Storage. */
import {
  odata,
  TableClient,
  type TableServiceClientOptions,
  type TransactionAction,
} from '@azure/data-tables';
import type { StorageConfig } from './config.ts';
import { createStorageHttpClient } from './storage-http-client.ts';
import type { Properties, Row, RowAction, RowStore } from './row-store.ts';
import {
  isMissing,
  isTableNotFound,
  StorageError,
  type StorageSignIn,
  timedOut,
  toStorageError,
} from './storage-error.ts';

/** Longest wait for one call. The SDK's own default waits for ever and retries for 4 to 5 s. */
const CALL_TIMEOUT_MS = 1500;
/** As many as one answer of Table Storage holds. */
const PAGE_ROWS = 1000;

interface Entity extends Record<string, unknown> {
  partitionKey?: string;
  rowKey?: string;
  etag?: string;
}

/** Codes by which storage says that a write found another state than it was meant for. */
const EXISTS = ['EntityAlreadyExists'];
const CHANGED_ETAG = ['UpdateConditionNotSatisfied'];
const CHANGED = [...CHANGED_ETAG, 'ResourceNotFound', 'EntityNotFound'];

/** Opens the table that `config` names; it is made by the first write that misses it. Nothing is sent before that. */
export async function createTableRowStore(config: StorageConfig): Promise<RowStore> {
  const signIn: StorageSignIn = 'connectionString' in config ? 'key' : 'identity';
  const client = await createClient(config).catch((error: unknown) => {
    throw toStorageError(error, signIn);
  });

  /** Makes a call within its time; what it throws is a StorageError, or a RowConflictError for these codes. */
  async function send<T>(call: (limit: TimeLimit) => Promise<T>, conflicts?: string[]): Promise<T> {
    try {
      return await inTime(call, CALL_TIMEOUT_MS);
    } catch (error) {
      throw toStorageError(error, signIn, conflicts);
    }
  }

  /** Writes, and makes the table when it is missing. */
  async function write<T>(call: (limit: TimeLimit) => Promise<T>, conflicts: string[]): Promise<T> {
    try {
      return await send(call, conflicts);
    } catch (error) {
      if (!isTableNotFound(error)) throw error;
    }
    await send((limit) => client.createTable(limit));
    return send(call, conflicts);
  }

  async function listPages(filter: string, limit: number, select?: string[]): Promise<Entity[]> {
    const queryOptions = { filter, ...(select && { select }) };
    const entities: Entity[] = [];
    try {
      await send(async (timeout) => {
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
        return toRow(await send((limit) => client.getEntity<Entity>(partition, key, limit)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async insert(partition, key, properties) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      return (await write((limit) => client.createEntity(entity, limit), EXISTS)).etag ?? '';
    },
    async replace(partition, key, properties, etag) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      const replaced = await write(
        (limit) => client.updateEntity(entity, 'Replace', { etag, ...limit }),
        CHANGED,
      );
      return replaced.etag ?? '';
    },
    async merge(partition, key, properties) {
      const entity = { partitionKey: partition, rowKey: key, ...properties };
      await write((limit) => client.upsertEntity(entity, 'Merge', limit), []);
    },
    async transact(partition, actions) {
      const all = actions.map((action) => toAction(partition, action));
      await write((limit) => submit(all, limit), [...EXISTS, ...CHANGED]);
    },
    async remove(partition, keys) {
      const all = keys.map((key) => toRemoval(partition, key));
      try {
        await send((limit) => submit(all, limit));
      } catch (error) {
        if (!isMissing(error)) throw error;
        // One is gone already, so none was removed: one by one, then.
        await Promise.all(keys.map((key) => removeOne(partition, key)));
      }
    },
    removeIf: (partition, key, etag) => removeOne(partition, key, etag),
    async *scan(after, properties, signal) {
      const filter = odata`PartitionKey gt ${after}`;
      const queryOptions = { filter, select: ['PartitionKey', 'RowKey', ...properties] };
      const pages = client.listEntities<Entity>({ queryOptions, abortSignal: signal });
      for await (const page of pages.byPage({ maxPageSize: PAGE_ROWS })) {
        yield page.map((entity) => ({ ...toRow(entity), partition: entity.partitionKey ?? '' }));
      }
    },
  };

  async function submit(actions: TransactionAction[], limit: TimeLimit): Promise<void> {
    const { subResponses } = await client.submitTransaction(actions, limit);
    // The SDK takes an answer that it cannot read for a success without parts.
    if (subResponses.filter(isDone).length !== actions.length) {
      throw new StorageError('Table Storage did not say that a transaction was done.', { code: 'unclear' });
    }
  }

  /** Whatever its etag is, if none is given. */
  async function removeOne(partition: string, key: string, etag = '*'): Promise<void> {
    try {
      await send((limit) => client.deleteEntity(partition, key, { etag, ...limit }), CHANGED_ETAG);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
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
  const { DefaultAzureCredential } = await import('@azure/identity');
  const identity = config.clientId === undefined ? {} : { managedIdentityClientId: config.clientId };
  return new TableClient(config.endpoint, config.tableName, new DefaultAzureCredential(identity), options);
}

/** For the options of a call. */
interface TimeLimit {
  abortSignal: AbortSignal;
}

/** Makes a call that is aborted when it takes longer than `ms` milliseconds. */
async function inTime<T>(call: (limit: TimeLimit) => Promise<T>, ms: number): Promise<T> {
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

function toAction(partition: string, { type, key, properties, ...rest }: RowAction) {
  const entity = { partitionKey: partition, rowKey: key, ...properties };
  if (type === 'insert') return ['create', entity] as ['create', typeof entity];
  const { etag } = rest as { etag: string };
  return ['update', entity, 'Replace', { etag }] as ['update', typeof entity, 'Replace', { etag: string }];
}

const isDone = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

const toRemoval = (partition: string, key: string): TransactionAction => [
  'delete',
  { partitionKey: partition, rowKey: key },
];

/** The names of keys and times are among the properties; ours are others. */
function toRow(entity: Entity): Row {
  const { rowKey = '', etag = '' } = entity;
  return { key: rowKey, properties: entity as Properties, etag };
}
