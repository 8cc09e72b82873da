/** The purge: scans the whole table for expired rows (interactions, markers, claims, the session index, ledgers). */
import type { Invocation } from '../common/log.ts';
import { forEachConcurrently } from '../common/pending-work.ts';
import {
  type Properties,
  removeRows,
  RowConflictError,
  type RowPosition,
  type RowStore,
  type ScannedRow,
  StorageError,
} from './row-store.ts';
import { ANSWER_PREFIX, KEY_LIFETIME_MS } from './answer-rows.ts';
import { isExpiredLedger } from './ledger.ts';
import { AFTER_INTERACTIONS, isInteractionOrMarkerKey, isMarkerKey, parseKey } from './session-rows.ts';
import { isListPosition, isStateKey, USER_KEY } from './session-index-rows.ts';

/** The row that stores where the next run continues. */
const CURSOR = { partition: 'purge', key: 'cursor' };
const FIRST: RowPosition = { partition: '', key: '' };
/** Below the default timeout of a function, which is 5 minutes. */
const RUN_MS = 240_000;

/** The result of one run. */
export interface PurgeReport extends PurgeCounts {
  /** The end of the table was reached. Otherwise the next run continues at the cursor. */
  finished: boolean;
}

/** What a purge needs. Interactions older than `sessionTtlMs` milliseconds have expired. */
export interface PurgeServices {
  store: RowStore;
  sessionTtlMs: number;
}

/** Runs the purge for as long as one run may take, and logs the result. */
export async function runPurge(
  { store, sessionTtlMs }: PurgeServices,
  log: Invocation['log'],
): Promise<void> {
  const startedAt = performance.now();
  try {
    const { partitions, rows, removed, finished } = await purgeSessions(store, sessionTtlMs, RUN_MS);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const next = finished ? 'the whole table was scanned' : 'the next run continues';
    log.info(
      `purge: ${removed} of ${rows} rows in ${partitions} partitions removed in ${seconds} s; ${next}`,
    );
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    log.warn(`purge: stopped by an error, the next run continues. ${error.message}`);
  }
}

/**
 * Removes expired rows; interactions expire after `ttlMs` milliseconds. Stops between two pages of rows when `runMs`
 * milliseconds have passed, and the next run continues there. The process may be killed at any moment. Rejects when
 * the store fails.
 */
export async function purgeSessions(store: RowStore, ttlMs: number, runMs: number): Promise<PurgeReport> {
  const end = performance.now() + runMs;
  const report: PurgeReport = { partitions: 0, rows: 0, removed: 0, finished: true };
  const purge = { store, ttlMs, counts: report };
  const start = await readCursor(store);
  let position = start;
  let open = start.partition === '' ? undefined : await resumePartition(store, start.partition);
  try {
    for await (const page of store.scan(start, ['updatedAt', 'storedAt'])) {
      const last = page.at(-1);
      // Table Storage may send an empty page although more pages follow.
      if (!last) continue;
      open = await purgePage(purge, page, open);
      position = { partition: last.partition, key: last.key };
      if (performance.now() < end) continue;
      report.finished = false;
      break;
    }
    if (report.finished) {
      if (open) await closePartition(purge, open);
      position = FIRST;
    }
  } finally {
    // Also after an error, so that the next run does not repeat the pages of this one.
    if (position.partition !== start.partition || position.key !== start.key)
      await writeCursor(store, position);
  }
  return report;
}

async function readCursor(store: RowStore): Promise<RowPosition> {
  const cursor = await store.get(CURSOR.partition, CURSOR.key);
  return {
    partition: String(cursor?.properties['after'] ?? ''),
    key: String(cursor?.properties['afterKey'] ?? ''),
  };
}

const writeCursor = (store: RowStore, { partition, key }: RowPosition): Promise<void> =>
  store.merge(CURSOR.partition, CURSOR.key, { after: partition, afterKey: key });

/** A marker is kept for so long after its conversation has expired. By then, no request still writes to an older one. */
const MARKER_LIFETIME_MS = 24 * 3_600_000;

/** How many partitions and rows were examined, and how many rows were removed. */
export interface PurgeCounts {
  partitions: number;
  rows: number;
  removed: number;
}

/** What a purge works with. Interactions older than `ttlMs` milliseconds have expired. */
export interface Purge {
  store: RowStore;
  ttlMs: number;
  counts: PurgeCounts;
}

/** A partition whose rows arrive in several pages, in the order of their keys. */
export interface OpenPartition {
  partition: string;
  /** The epoch of the newest conversation. */
  epoch: number;
  /** Expired markers. They hide the older conversations, so they are removed after all other rows. */
  markers: string[];
}

/** Opens a partition at which an earlier run stopped. Markers that run has passed are removed by a later run. */
async function resumePartition(store: RowStore, partition: string): Promise<OpenPartition> {
  const [newest] = await store.list(partition, { to: AFTER_INTERACTIONS, limit: 1, keysOnly: true });
  return { partition, epoch: epochOf(newest?.key), markers: [] };
}

/**
 * Removes the expired rows of a page. `open` is the partition with which the page before ended. Gives the partition
 * with which this page ends, because it may continue in the next page.
 */
async function purgePage(
  purge: Purge,
  page: ScannedRow[],
  open: OpenPartition | undefined,
): Promise<OpenPartition | undefined> {
  const groups = [...Map.groupBy(page, ({ partition }) => partition)];
  if (open && open.partition !== groups[0]?.[0]) await closePartition(purge, open);
  let last: OpenPartition | undefined;
  await forEachConcurrently([...groups.entries()], async ([index, [partition, rows]]) => {
    const isContinued = open?.partition === partition;
    const current = isContinued ? open : { partition, epoch: epochOf(rows[0]?.key), markers: [] };
    if (!isContinued) purge.counts.partitions++;
    await purgeRows(purge, rows, current);
    if (index === groups.length - 1) last = current;
    else await closePartition(purge, current);
  });
  return last;
}

/** Removes the expired markers of a partition, after all its other rows were examined. */
async function closePartition(
  { store, counts }: Purge,
  { partition, markers }: OpenPartition,
): Promise<void> {
  await removeRows(store, partition, markers);
  counts.removed += markers.length;
}

/** Removes the expired ones among some rows of a partition. Expired markers are only collected. */
async function purgeRows(
  { store, ttlMs, counts }: Purge,
  rows: ScannedRow[],
  partition: OpenPartition,
): Promise<void> {
  const oldest = Date.now() - ttlMs;
  const { epoch } = partition;
  const keys = rows.map(({ key }) => key).filter(isInteractionOrMarkerKey);
  // Oldest conversation first, so that a marker is removed after the rows that it hides.
  const forgotten = keys.filter((key) => parseKey(key).epoch < epoch).toReversed();
  const current = keys.filter((key) => parseKey(key).epoch === epoch);
  const tooOld = current.filter((key) => !isMarkerKey(key) && parseKey(key).lastMs < oldest);
  if (epoch < oldest - MARKER_LIFETIME_MS) partition.markers.push(...current.filter(isMarkerKey));
  const others = rows.filter((row) => isExpiredOther(row, oldest)).map(({ key }) => key);
  const expired = [...forgotten, ...others, ...tooOld];
  await removeRows(store, partition.partition, expired);
  counts.rows += rows.length;
  counts.removed += expired.length + (await removeUnusedStates(store, rows, oldest));
}

const epochOf = (key: string | undefined): number =>
  key !== undefined && isInteractionOrMarkerKey(key) ? parseKey(key).epoch : 0;

function isExpiredOther({ key, properties }: ScannedRow, oldest: number): boolean {
  if (isExpiredLedger(key, Date.now())) return true;
  if (key.startsWith(ANSWER_PREFIX)) return Number(properties['storedAt']) < Date.now() - KEY_LIFETIME_MS;
  return isListPosition(key) && isUnused(properties, oldest);
}

const isUnused = ({ updatedAt }: Properties, oldest: number): boolean =>
  Number(updatedAt) < oldest - MARKER_LIFETIME_MS;

/** Removes the states of unused sessions and users, except those that are used again meanwhile. Gives their number. */
async function removeUnusedStates(store: RowStore, rows: ScannedRow[], oldest: number): Promise<number> {
  const unused = rows.filter(({ key, properties }) => {
    const isState = isStateKey(key) || key === USER_KEY;
    return isState && isUnused(properties, oldest);
  });
  let removed = 0;
  await forEachConcurrently(unused, async ({ partition, key }) => {
    // Read again, because a scan with selected properties may lack etags.
    const row = await store.get(partition, key);
    if (!row || !isUnused(row.properties, oldest)) return;
    try {
      await store.removeIf(partition, key, row.etag);
      removed++;
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
    }
  });
  return removed;
}
