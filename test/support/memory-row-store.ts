/** The row store in memory. It passes the tests of the one in Table Storage. */
import {
  type Properties,
  type Row,
  RowConflictError,
  type RowStore,
} from '../../src/lib/history/row-store.ts';

/** Rows of a page of {@link RowStore.scan}. */
const PAGE_ROWS = 100;

/** Creates an empty row store. */
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
    async list(partition, { from = '', to, limit = Infinity, keysOnly = false, where } = {}) {
      const rows = sorted(rowsOf(partition))
        .map(([, row]) => row)
        .filter(({ key }) => key >= from && (to === undefined || key < to))
        .filter(({ properties }) => !where || properties[where.property] === where.value);
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
        const remaining = sorted(rows).filter(([key]) => key > first);
        for (let start = 0; start < remaining.length; start += PAGE_ROWS) {
          const page = remaining.slice(start, start + PAGE_ROWS);
          yield page.map(([, row]) => ({ ...structuredClone(row), partition }));
        }
      }
    },
  };
}

const sorted = <Value>(map: Map<string, Value>): [string, Value][] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
