/** The interface to Table Storage: rows in partitions, sorted by key. */
import { LoggableError } from '../common/log.ts';

/**
 * The properties of a row. Text has at most 32 Ki UTF-16 units, binary data 64 KiB. Numbers are stored as text, because
 * Table Storage reads a plain integer as 32 bits, which are too few for a time in milliseconds.
 */
export type Properties = Record<string, string | boolean | Uint8Array>;

/** A row of a list. */
export interface ListedRow {
  key: string;
  properties: Properties;
}

/** A row as it was read from the store. */
export interface Row extends ListedRow {
  /** Changes with every write. */
  etag: string;
}

/** A row found by {@link RowStore.scan}. */
export interface ScannedRow extends Row {
  partition: string;
}

/** A position in the order of all rows. Two empty texts mean the start. */
export interface RowPosition {
  partition: string;
  key: string;
}

/** A range of rows of one partition. */
export interface RowRange {
  /** Lowest key, inclusive. */
  from?: string;
  /** Highest key, exclusive. */
  to?: string;
  limit?: number;
  /** Read only the keys, no properties. */
  keysOnly?: boolean;
  /** Only rows with this value of a property. */
  where?: { property: string; value: string };
}

/** One write of a transaction. */
export type RowAction =
  | { type: 'insert'; key: string; properties: Properties }
  /** Conflicts when the row has another etag or does not exist. */
  | { type: 'replace'; key: string; properties: Properties; etag: string }
  /** Conflicts when the row does not exist. */
  | { type: 'remove'; key: string };

/** A write met a conflict: the row to insert exists already, or the row to change was changed or removed. */
export class RowConflictError extends Error {
  override readonly name = 'RowConflictError';
}

/** The store failed. The message is safe to log: it contains the store's code, but never the store's own message. */
export class StorageError extends LoggableError {
  override readonly name = 'StorageError';
  /** HTTP status of the store's response; undefined when there was no response. */
  readonly status: number | undefined;
  /** Error code of the store, the network or the client. */
  readonly code: string | undefined;

  constructor(message: string, options: { status?: number | undefined; code?: string | undefined } = {}) {
    super(message);
    this.status = options.status;
    this.code = options.code;
  }
}

/** Maximum number of rows that one call may remove. */
const MAX_ROWS_PER_CALL = 100;

/**
 * Stores rows. Every method takes one round trip, or one for each page. Every method rejects when the store fails, with
 * a StorageError if the reason is known.
 */
export interface RowStore {
  /** Gives rows in the order of their keys. */
  list(partition: string, range?: RowRange): Promise<ListedRow[]>;
  get(partition: string, key: string): Promise<Row | undefined>;
  /** Gives the new etag. @throws RowConflictError when the row exists. */
  insert(partition: string, key: string, properties: Properties): Promise<string>;
  /** Gives the new etag. @throws RowConflictError when the row has another etag, or is gone. */
  replace(partition: string, key: string, properties: Properties, etag: string): Promise<string>;
  /** Sets these properties of a row and keeps its others. A missing row is created. */
  merge(partition: string, key: string, properties: Properties): Promise<void>;
  /** Does all actions or none. @throws RowConflictError when one of the actions met a conflict. */
  transact(partition: string, actions: RowAction[]): Promise<void>;
  /** Removes up to {@link MAX_ROWS_PER_CALL} rows. Rows that do not exist are ignored. */
  remove(partition: string, keys: string[]): Promise<void>;
  /** Removes a row if it exists. @throws RowConflictError when the row has another etag. */
  removeIf(partition: string, key: string, etag: string): Promise<void>;
  /** Gives all rows after a position, in the order of partitions and keys, page by page, with the named properties. */
  scan(after: RowPosition, properties: string[]): AsyncIterable<ScannedRow[]>;
}

/** Inserts a row whose key only this call uses, and gives the key. */
export async function insertUnique(
  store: RowStore,
  ...[partition, key, properties]: Parameters<RowStore['insert']>
): Promise<string> {
  try {
    await store.insert(partition, key, properties);
  } catch (error) {
    // The store retries calls without a response, so the first attempt of this very call has inserted the row.
    if (!(error instanceof RowConflictError)) throw error;
  }
  return key;
}

/** Removes rows of a partition in the given order, with as few calls as possible. */
export async function removeRows(store: RowStore, partition: string, keys: string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += MAX_ROWS_PER_CALL) {
    await store.remove(partition, keys.slice(start, start + MAX_ROWS_PER_CALL));
  }
}
