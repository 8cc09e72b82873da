/** The purge: scans the whole table for expired rows (interactions, markers, claims, the session index). */
import type { Invocation } from '../runtime/invocation.ts';
import { closePartition, purgePage, type PurgeCounts, resumePartition } from './expired-rows.ts';
import { type RowPosition, type RowStore, StorageError } from './row-store.ts';

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
