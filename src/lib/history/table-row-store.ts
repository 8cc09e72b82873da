/**
 * The row store in Azure Table Storage. Rejected: several accounts with sharding by session (docs/decisions/sessions.md).
 */
import { odata, type TransactionAction } from '@azure/data-tables';
import type { StorageConfig } from '../config/config.ts';
import {
  type ListedRow,
  type Properties,
  type Row,
  type RowAction,
  type RowStore,
  StorageError,
} from './row-store.ts';
import { CALL_TIMEOUT_MS, type Entity, TableCalls, TableRequests } from './table-requests.ts';
import { isMissing, type StorageSignIn, timedOut, unusableSettings } from './storage-error.ts';
import { createTableClient, type TimeLimit } from './table-client.ts';

/** Timeout of one page of a scan: Table Storage itself searches for up to 5 s before it answers. */
const SCAN_TIMEOUT_MS = 10_000;
/** Timeout of a list that may need many pages. Each page has the timeout of one call. */
const LIST_TIMEOUT_MS = 60_000;
/** Maximum number of entities in one response of Table Storage. */
const PAGE_ROWS = 1000;

/** Codes of Table Storage for a conflict: the row has another state than the write expects. */
const EXISTS = ['EntityAlreadyExists'];
const CHANGED_ETAG = ['UpdateConditionNotSatisfied'];
const CHANGED = [...CHANGED_ETAG, 'ResourceNotFound', 'EntityNotFound'];

/**
 * Opens the configured table. Sends nothing yet; the first write creates the table when it is missing.
 * @throws StorageError when the settings have no usable address or key.
 */
export async function createTableRowStore(config: StorageConfig): Promise<RowStore> {
  const signIn: StorageSignIn = 'connectionString' in config ? 'key' : 'identity';
  const { client, httpClient } = await createTableClient(config).catch(() => {
    throw unusableSettings(signIn);
  });
  const calls = new TableCalls(client, signIn);
  const requests = new TableRequests(client, httpClient);

  return {
    async list(partition, { from = '', to, limit = Infinity, keysOnly, where } = {}) {
      const conditions = [odata`PartitionKey eq ${partition} and RowKey ge ${from}`];
      if (to !== undefined) conditions.push(odata`RowKey lt ${to}`);
      if (where) conditions.push(`${where.property} ${odata`eq ${where.value}`}`);
      const filter = conditions.join(' and ');
      const rows: ListedRow[] = [];
      // Questions wait for lists that fit into one page. Table Storage may split even those into several pages, so the
      // timeout is for all pages together.
      const timeoutMs = limit <= PAGE_ROWS ? CALL_TIMEOUT_MS : LIST_TIMEOUT_MS;
      const end = performance.now() + timeoutMs;
      const query = { filter, top: Math.min(limit, PAGE_ROWS), ...(keysOnly && { select: 'RowKey' }) };
      for (let next: URLSearchParams | undefined; ;) {
        const page = await calls.read((time) => requests.query({ ...query, ...(next && { next }) }, time));
        rows.push(...(page?.rows ?? []));
        next = page?.next;
        if (next === undefined || rows.length >= limit) return rows.slice(0, limit);
        if (performance.now() > end) throw timedOut(timeoutMs);
      }
    },
    async get(partition, key) {
      try {
        const entity = await calls.send((limit) => client.getEntity<Entity>(partition, key, limit));
        return { ...toRow(entity), properties: ownProperties(entity) };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    insert(partition, key, properties) {
      return calls.write((limit) => requests.insert(partition, key, properties, limit), EXISTS);
    },
    async replace(partition, key, properties, etag) {
      const entity = toEntity(partition, key, properties);
      const replaced = await calls.write(
        (limit) => client.updateEntity(entity, 'Replace', { etag, ...limit }),
        CHANGED,
      );
      return replaced.etag ?? '';
    },
    async merge(partition, key, properties) {
      const entity = toEntity(partition, key, properties);
      await calls.write((limit) => client.upsertEntity(entity, 'Merge', limit), []);
    },
    async transact(partition, actions) {
      const all = actions.map((action) => toAction(partition, action));
      await calls.write((limit) => submit(calls, all, limit), [...EXISTS, ...CHANGED]);
    },
    async remove(partition, keys) {
      const all = keys.map((key) => toRemoval(partition, key));
      try {
        await calls.send((limit) => submit(calls, all, limit));
      } catch (error) {
        if (!isMissing(error)) throw error;
        // One of the rows is missing, so the transaction removed none of them.
        await Promise.all(keys.map((key) => removeOne(calls, partition, key)));
      }
    },
    removeIf: (partition, key, etag) => removeOne(calls, partition, key, etag),
    async *scan(after, properties) {
      const select = ['PartitionKey', 'RowKey', ...properties];
      // Two queries: with both conditions in one, Table Storage reads the whole table.
      const filters = [
        odata`PartitionKey eq ${after.partition} and RowKey gt ${after.key}`,
        odata`PartitionKey gt ${after.partition}`,
      ];
      for (const filter of after.partition === '' ? filters.slice(1) : filters) {
        for await (const page of calls.pages({ filter, select }, PAGE_ROWS, SCAN_TIMEOUT_MS)) {
          yield page.map((entity) => ({ ...toRow(entity), partition: entity.partitionKey ?? '' }));
        }
      }
    },
  };
}

async function submit({ client }: TableCalls, actions: TransactionAction[], limit: TimeLimit): Promise<void> {
  const { subResponses } = await client.submitTransaction(actions, limit);
  // The SDK reports a response that it cannot parse as a success without parts.
  if (subResponses.filter(isDone).length !== actions.length) {
    throw new StorageError('Table Storage did not confirm a transaction.', { code: 'unclear' });
  }
}

/** Removes a row; without `etag`, whatever its current etag is. */
async function removeOne(calls: TableCalls, partition: string, key: string, etag = '*'): Promise<void> {
  try {
    await calls.send((limit) => calls.client.deleteEntity(partition, key, { etag, ...limit }), CHANGED_ETAG);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function toAction(partition: string, action: RowAction): TransactionAction {
  if (action.type === 'remove') return toRemoval(partition, action.key);
  const entity = toEntity(partition, action.key, action.properties);
  return action.type === 'insert' ? ['create', entity] : ['update', entity, 'Replace', { etag: action.etag }];
}

const isDone = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

const toRemoval = (partition: string, key: string): TransactionAction => [
  'delete',
  { partitionKey: partition, rowKey: key },
];

const toEntity = (partition: string, key: string, properties: Properties) => ({
  partitionKey: partition,
  rowKey: key,
  ...properties,
});

const SDK_PROPERTIES = new Set(['partitionKey', 'rowKey', 'etag', 'timestamp', 'odata.metadata']);

/** The properties without the SDK's own, as a row is written. */
const ownProperties = (entity: Entity): Properties =>
  Object.fromEntries(Object.entries(entity).filter(([name]) => !SDK_PROPERTIES.has(name))) as Properties;

/** The properties still include the SDK's own (keys, etag, timestamp); no property of ours has one of these names. */
function toRow(entity: Entity): Row {
  const { rowKey = '', etag = '' } = entity;
  return { key: rowKey, properties: entity as Properties, etag };
}
