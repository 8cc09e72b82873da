/** What Table Storage is to us: rows in partitions, sorted by key. And the implementation that lives in memory. */
import { LoggableError } from '../runtime/log.ts';

/**
 * What a row holds. Text properties have at most 32 Ki UTF-16 units, binary ones 64 KiB. Numbers are kept as text: Table
 * Storage would take a time in milliseconds for an integer of 32 bits.
 */
export type Properties = Record<string, string | boolean | Uint8Array>;

/** A row as it was read. */
export interface Row {
  key: string;
  properties: Properties;
  /** Changes with every write. */
  etag: string;
}

/** A row found by {@link RowStore.scan}. */
export interface ScannedRow extends Row {
  partition: string;
}

/** A row in the order of all rows; empty texts are before the first. */
export interface RowPosition {
  partition: string;
  key: string;
}

/** Which rows of a partition, and what of them. */
export interface RowRange {
  /** First key that is wanted. */
  from?: string;
  /** First key that is no longer wanted. */
  to?: string;
  limit?: number;
  /** Read no properties. */
  keysOnly?: boolean;
}

/** One of several writes that are done together or not at all. */
export type RowAction =
  | { type: 'insert'; key: string; properties: Properties }
  /** Only if the row still has this etag. */
  | { type: 'replace'; key: string; properties: Properties; etag: string }
  /** Only if it is there. */
  | { type: 'remove'; key: string };

/** A write found another state than it was meant for: the row exists already, or was changed or removed. */
export class RowConflictError extends Error {
  override readonly name = 'RowConflictError';
}

/** The store failed. The message is for the log: our own words and the store's code, never its text. */
export class StorageError extends LoggableError {
  override readonly name = 'StorageError';
  /** HTTP status of the store's answer; undefined when there was none. */
  readonly status: number | undefined;
  /** The store's own code, or that of the network or the client. */
  readonly code: string | undefined;

  constructor(message: string, options: { status?: number | undefined; code?: string | undefined } = {}) {
    super(message);
    this.status = options.status;
    this.code = options.code;
  }
}

/** Most rows that one call may remove. */
export const MAX_ROWS_PER_CALL = 100;

/** Keeps rows. Every method is one round trip, or as many as there are pages; each rejects when the store fails:
 * with a StorageError where it has said why. */
export interface RowStore {
  /** Gives rows in the order of their keys. */
  list(partition: string, range?: RowRange): Promise<Row[]>;
  get(partition: string, key: string): Promise<Row | undefined>;
  /** Gives the new etag. @throws RowConflictError when the row exists. */
  insert(partition: string, key: string, properties: Properties): Promise<string>;
  /** Gives the new etag. @throws RowConflictError when the row has another etag, or is gone. */
  replace(partition: string, key: string, properties: Properties, etag: string): Promise<string>;
  /** Sets these properties of a row, which is made when there is none. */
  merge(partition: string, key: string, properties: Properties): Promise<void>;
  /** @throws RowConflictError when one of the actions met another state; then nothing was done. */
  transact(partition: string, actions: RowAction[]): Promise<void>;
  /** Removes up to {@link MAX_ROWS_PER_CALL} rows, together or not at all. Those that are gone already are no error. */
  remove(partition: string, keys: string[]): Promise<void>;
  /** Removes a row. One that is gone already is no error. @throws RowConflictError when it has another etag. */
  removeIf(partition: string, key: string, etag: string): Promise<void>;
  /** Gives the rows of all partitions after this one, in order, page by page, with the named properties. */
  scan(after: RowPosition, properties: string[]): AsyncIterable<ScannedRow[]>;
}

/** Rows of this process only: for tests and experiments, with the promises of the real one. */
export function createMemoryRowStore(): RowStore {
  const partitions = new Map<string, Map<string, Row>>();
  let version = 0;
  const rowsOf = (partition: string): Map<string, Row> => {
    const rows = partitions.get(partition) ?? new Map<string, Row>();
    partitions.set(partition, rows);
    return rows;
  };
  const put = (partition: string, key: string, properties: Properties): string => {
    const etag = String(++version);
    rowsOf(partition).set(key, { key, properties: structuredClone(properties), etag });
    return etag;
  };
  const check = (partition: string, key: string, etag: string | undefined): void => {
    if (rowsOf(partition).get(key)?.etag !== etag) throw new RowConflictError(key);
  };

  return {
    async list(partition, { from = '', to, limit = Infinity, keysOnly = false } = {}) {
      const rows = sorted(rowsOf(partition))
        .map(([, row]) => row)
        .filter(({ key }) => key >= from && (to === undefined || key < to));
      return rows.slice(0, limit).map((row) => structuredClone(keysOnly ? { ...row, properties: {} } : row));
    },
    get: async (partition, key) => structuredClone(rowsOf(partition).get(key)),
    async insert(partition, key, properties) {
      check(partition, key, undefined);
      return put(partition, key, properties);
    },
    async replace(partition, key, properties, etag) {
      check(partition, key, etag);
      return put(partition, key, properties);
    },
    async merge(partition, key, properties) {
      put(partition, key, { ...rowsOf(partition).get(key)?.properties, ...properties });
    },
    async transact(partition, actions) {
      for (const action of actions) {
        const row = rowsOf(partition).get(action.key);
        const isExpected =
          action.type === 'insert' ? !row : row && (action.type === 'remove' || row.etag === action.etag);
        if (!isExpected) throw new RowConflictError(action.key);
      }
      for (const action of actions) {
        if (action.type === 'remove') rowsOf(partition).delete(action.key);
        else put(partition, action.key, action.properties);
      }
    },
    async remove(partition, keys) {
      for (const key of keys) rowsOf(partition).delete(key);
    },
    async removeIf(partition, key, etag) {
      if (!rowsOf(partition).has(key)) return;
      check(partition, key, etag);
      rowsOf(partition).delete(key);
    },
    async *scan(after) {
      for (const [partition, rows] of sorted(partitions)) {
        if (partition < after.partition) continue;
        const first = partition === after.partition ? after.key : '';
        const wanted = sorted(rows).filter(([key]) => key > first);
        for (let start = 0; start < wanted.length; start += MAX_ROWS_PER_CALL) {
          const page = wanted.slice(start, start + MAX_ROWS_PER_CALL);
          yield page.map(([, row]) => ({ ...structuredClone(row), partition }));
        }
      }
    },
  };
}

const sorted = <Value>(map: Map<string, Value>): [string, Value][] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
