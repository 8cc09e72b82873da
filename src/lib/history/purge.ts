/** Removing what has expired: interactions, markers, claims and the index, through the whole table. */
import { removeRows } from './chat-history.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { CLAIM_PREFIX, KEY_LIFETIME_MS } from './idempotency.ts';
import { AFTER_INTERACTIONS, isInteractionOrMarkerKey, isMarkerKey, parseKey } from './row-keys.ts';
import {
  type Properties,
  RowConflictError,
  type RowPosition,
  type RowStore,
  type ScannedRow,
  StorageError,
} from './row-store.ts';
import { isListPosition, isStateKey } from './session-index.ts';

/** Nobody is still writing to a conversation after that, so that its marker has no more to hide. */
const MARKER_LIFETIME_MS = 24 * 3_600_000;
/** Where a run that was not done in time tells the next one where to go on. */
const CURSOR = { partition: 'purge', key: 'cursor' };
/** A function may run for 5 minutes where nothing else is set. */
const RUN_MS = 240_000;
/** Partitions that are purged at the same time. */
const CONCURRENCY = 8;

/** What one run did. */
export interface PurgeReport {
  partitions: number;
  rows: number;
  removed: number;
  /** Everything was looked at; else the next run goes on. */
  finished: boolean;
}

/** What a purge needs. Interactions older than `sessionTtlMs` milliseconds have expired. */
export interface PurgeServices {
  store: RowStore;
  sessionTtlMs: number;
}

/** Purges for as long as one run may take, and says in the log what was done. */
export async function runPurge(
  { store, sessionTtlMs }: PurgeServices,
  log: Invocation['log'],
): Promise<void> {
  const startedAt = performance.now();
  try {
    const { partitions, rows, removed, finished } = await purgeSessions(store, sessionTtlMs, RUN_MS);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const next = finished ? 'all were looked at' : 'the next run goes on';
    log.info(
      `purge: ${removed} of ${rows} rows in ${partitions} partitions removed in ${seconds} s; ${next}`,
    );
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    log.warn(`purge: not done, the next run goes on. ${error.message}`);
  }
}

/**
 * Removes rows that have expired: interactions after `ttlMs` milliseconds. Stops after `runMs`, between pages of rows;
 * the next run goes on there. It may be ended at any moment. Rejects when the store fails.
 */
export async function purgeSessions(store: RowStore, ttlMs: number, runMs: number): Promise<PurgeReport> {
  const end = performance.now() + runMs;
  const report: PurgeReport = { partitions: 0, rows: 0, removed: 0, finished: true };
  const start = await readCursor(store);
  let position = start;
  let open = await reopen(store, start);
  try {
    for await (const page of store.scan(start, ['updatedAt', 'storedAt'])) {
      const last = page.at(-1);
      // Storage may answer with nothing and a token to go on.
      if (!last) continue;
      open = await purgePage(store, page, open, ttlMs, report);
      position = { partition: last.partition, key: last.key };
      if (performance.now() < end) continue;
      report.finished = false;
      break;
    }
    if (report.finished) {
      if (open) await close(store, open, report);
      position = FIRST;
    }
  } finally {
    // What this run has seen is seen, also when it ends with an error.
    if (position.partition !== start.partition || position.key !== start.key)
      await writeCursor(store, position);
  }
  return report;
}

const FIRST: RowPosition = { partition: '', key: '' };

async function readCursor(store: RowStore): Promise<RowPosition> {
  const cursor = await store.get(CURSOR.partition, CURSOR.key);
  return {
    partition: String(cursor?.properties['after'] ?? ''),
    key: String(cursor?.properties['afterKey'] ?? ''),
  };
}

const writeCursor = (store: RowStore, { partition, key }: RowPosition): Promise<void> =>
  store.merge(CURSOR.partition, CURSOR.key, { after: partition, afterKey: key });

/** A partition whose rows come piece by piece, in the order of their keys. */
interface Partition {
  partition: string;
  /** Of the newest conversation. */
  epoch: number;
  /** Its markers, if they have expired. They hide what was forgotten, so they are removed after it. */
  markers: string[];
}

/** The partition in the middle of which the last run ended. */
async function reopen(store: RowStore, { partition }: RowPosition): Promise<Partition | undefined> {
  if (partition === '') return undefined;
  const [newest] = await store.list(partition, { to: AFTER_INTERACTIONS, limit: 1, keysOnly: true });
  // Markers that were passed before are left to the run that next begins with this partition.
  return { partition, epoch: epochOf(newest?.key), markers: [] };
}

/** Purges a page of rows; gives its last partition, which may go on in the next one. */
async function purgePage(
  store: RowStore,
  page: ScannedRow[],
  open: Partition | undefined,
  ttlMs: number,
  report: PurgeReport,
): Promise<Partition | undefined> {
  const pieces = [...Map.groupBy(page, ({ partition }) => partition)];
  if (open && open.partition !== pieces[0]?.[0]) await close(store, open, report);
  const waiting = pieces.entries();
  let last: Partition | undefined;
  const worker = async (): Promise<void> => {
    for (const [index, [partition, rows]] of waiting) {
      const begun =
        open?.partition === partition ? open : { partition, epoch: epochOf(rows[0]?.key), markers: [] };
      if (begun !== open) report.partitions++;
      await purgePiece(store, rows, begun, ttlMs, report);
      if (index === pieces.length - 1) last = begun;
      else await close(store, begun, report);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return last;
}

/** Removes what has expired of some rows of a partition, but for the markers. */
async function purgePiece(
  store: RowStore,
  rows: ScannedRow[],
  partition: Partition,
  ttlMs: number,
  report: PurgeReport,
): Promise<void> {
  const oldest = Date.now() - ttlMs;
  const { epoch } = partition;
  const keys = rows.map(({ key }) => key).filter(isInteractionOrMarkerKey);
  // Oldest conversation first: what hides the others goes after them.
  const forgotten = keys.filter((key) => parseKey(key).epoch < epoch).toReversed();
  const own = keys.filter((key) => parseKey(key).epoch === epoch);
  const tooOld = own.filter((key) => !isMarkerKey(key) && parseKey(key).lastMs < oldest);
  if (epoch < oldest - MARKER_LIFETIME_MS) partition.markers.push(...own.filter(isMarkerKey));
  const others = rows.filter((row) => isOtherExpired(row, oldest)).map(({ key }) => key);
  const expired = [...forgotten, ...others, ...tooOld];
  await removeRows(store, partition.partition, expired);
  report.rows += rows.length;
  report.removed += expired.length + (await removeStates(store, rows, oldest));
}

/** Removes the markers of a partition whose other rows were all looked at. */
async function close(store: RowStore, { partition, markers }: Partition, report: PurgeReport): Promise<void> {
  await removeRows(store, partition, markers);
  report.removed += markers.length;
}

const epochOf = (key: string | undefined): number =>
  key !== undefined && isInteractionOrMarkerKey(key) ? parseKey(key).epoch : 0;

function isOtherExpired({ key, properties }: ScannedRow, oldest: number): boolean {
  if (key.startsWith(CLAIM_PREFIX)) return Number(properties['storedAt']) < Date.now() - KEY_LIFETIME_MS;
  return isListPosition(key) && isUnused(properties, oldest);
}

const isUnused = ({ updatedAt }: Properties, oldest: number): boolean =>
  Number(updatedAt) < oldest - MARKER_LIFETIME_MS;

/** Removes the states of sessions that are not used any more; gives how many. One that is used again meanwhile stays. */
async function removeStates(store: RowStore, rows: ScannedRow[], oldest: number): Promise<number> {
  const waiting = rows
    .filter(({ key, properties }) => isStateKey(key) && isUnused(properties, oldest))
    .values();
  let removed = 0;
  const worker = async (): Promise<void> => {
    for (const { partition, key } of waiting) {
      // Anew, because a scan of some properties need not have etags.
      const row = await store.get(partition, key);
      if (!row || !isUnused(row.properties, oldest)) continue;
      try {
        await store.removeIf(partition, key, row.etag);
        removed++;
      } catch (error) {
        if (!(error instanceof RowConflictError)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return removed;
}
