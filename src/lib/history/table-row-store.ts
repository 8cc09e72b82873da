/** Rows in Azure Table Storage. */
import { odata, type TransactionAction } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
import { type Properties, type Row, type RowAction, type RowStore, StorageError } from './row-store.ts';
import {
  isMissing,
  isTableNotFound,
  type StorageSignIn,
  timedOut,
  toStorageError,
  unusableSettings,
} from './storage-error.ts';
import { createTableClient, inTime, type TimeLimit } from './table-client.ts';

/** Longest wait for one call. The SDK's own default waits for ever and retries for 4 to 5 s. */
const CALL_TIMEOUT_MS = 1500;
/** Longest wait for a page of a scan: storage itself takes up to 5 s to look for rows that have what is asked for. */
const SCAN_TIMEOUT_MS = 10_000;
/** Longest wait for a list that may need many pages, each of which has the time of one call. */
const LIST_TIMEOUT_MS = 60_000;
/** As many as one answer of Table Storage holds. */
const PAGE_ROWS = 1000;

interface Entity extends Record<string, unknown> {
  partitionKey?: string;
  rowKey?: string;
  etag?: string;
}

interface Query {
  filter: string;
  select?: string[];
}

/** Codes by which storage says that a write found another state than it was meant for. */
const EXISTS = ['EntityAlreadyExists'];
const CHANGED_ETAG = ['UpdateConditionNotSatisfied'];
const CHANGED = [...CHANGED_ETAG, 'ResourceNotFound', 'EntityNotFound'];

/** Opens the table that `config` names; it is made by the first write that misses it. Nothing is sent before that. */
export async function createTableRowStore(config: StorageConfig): Promise<RowStore> {
  const signIn: StorageSignIn = 'connectionString' in config ? 'key' : 'identity';
  const client = await createTableClient(config).catch(() => {
    throw unusableSettings(signIn);
  });

  /** Makes a call within its time; what it throws is a StorageError, or a RowConflictError for these codes. */
  async function send<T>(
    call: (limit: TimeLimit) => Promise<T>,
    conflicts?: string[],
    ms = CALL_TIMEOUT_MS,
  ): Promise<T> {
    try {
      return await inTime(call, ms);
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

  /** Gives page after page, each in its own time. Storage may answer with a short page and a token to go on. */
  async function* pagesOf(query: Query, maxPageSize: number, pageMs = CALL_TIMEOUT_MS) {
    let continuationToken: string | undefined;
    do {
      const settings = { maxPageSize, ...(continuationToken !== undefined && { continuationToken }) };
      const readPage = (limit: TimeLimit) =>
        client
          .listEntities<Entity>({ queryOptions: query, ...limit })
          .byPage(settings)
          .next();
      const read = await send(readPage, [], pageMs).catch((error: unknown) => {
        if (isTableNotFound(error)) return undefined;
        throw error;
      });
      if (!read || read.done) return;
      yield read.value;
      ({ continuationToken } = read.value);
    } while (continuationToken !== undefined);
  }

  return {
    async list(partition, { from = '', to, limit = Infinity, keysOnly } = {}) {
      const start = odata`PartitionKey eq ${partition} and RowKey ge ${from}`;
      const filter = to === undefined ? start : `${start} and ${odata`RowKey lt ${to}`}`;
      const rows: Row[] = [];
      // What fits into one page has the time of one call, although storage may send it in several: a question waits.
      const timeoutMs = limit <= PAGE_ROWS ? CALL_TIMEOUT_MS : LIST_TIMEOUT_MS;
      const end = performance.now() + timeoutMs;
      const query = { filter, ...(keysOnly && { select: ['RowKey'] }) };
      for await (const page of pagesOf(query, Math.min(limit, PAGE_ROWS))) {
        rows.push(...page.map(toRow));
        if (rows.length >= limit) break;
        if (performance.now() > end) throw timedOut(timeoutMs);
      }
      return rows.slice(0, limit);
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
    async *scan(after, properties) {
      const select = ['PartitionKey', 'RowKey', ...properties];
      // Two queries, because storage would read the whole table for both conditions in one.
      const filters = [
        odata`PartitionKey eq ${after.partition} and RowKey gt ${after.key}`,
        odata`PartitionKey gt ${after.partition}`,
      ];
      for (const filter of after.partition === '' ? filters.slice(1) : filters) {
        for await (const page of pagesOf({ filter, select }, PAGE_ROWS, SCAN_TIMEOUT_MS)) {
          yield page.map((entity) => ({ ...toRow(entity), partition: entity.partitionKey ?? '' }));
        }
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

function toAction(partition: string, action: RowAction): TransactionAction {
  if (action.type === 'remove') return toRemoval(partition, action.key);
  const entity = { partitionKey: partition, rowKey: action.key, ...action.properties };
  return action.type === 'insert' ? ['create', entity] : ['update', entity, 'Replace', { etag: action.etag }];
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
