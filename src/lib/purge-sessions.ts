/** Removing what has expired: interactions, markers, claims and the index, through the whole table. */
import { removeRows } from './chat-history.ts';
import type { Invocation } from './http-response.ts';
import { CLAIM_PREFIX, KEY_LIFETIME_MS } from './idempotency.ts';
import { isInteractionOrMarkerKey, isMarkerKey, parseKey } from './row-keys.ts';
import type { RowStore, ScannedRow } from './row-store.ts';
import type { Services } from './services.ts';
import { isIndexKey } from './session-index.ts';

/** Nobody is still writing to a conversation after that, so that its marker has no more to hide. */
const MARKER_LIFETIME_MS = 24 * 3_600_000;
/** Where a run that was not done in time tells the next one where to go on. */
const CURSOR = { partition: 'purge', key: 'cursor' };
/** A function may run for 5 minutes where nothing else is set. */
const RUN_MS = 240_000;
/** A run may take so much longer when storage is slow. */
const GRACE_MS = 10_000;
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

/** Purges the sessions of `services` for as long as one run may take, and says in the log what was done. */
export async function runPurge({ store, config }: Services, log: Invocation['log']): Promise<void> {
  const startedAt = performance.now();
  const { partitions, rows, removed, finished } = await purgeSessions(store, config.sessionTtlMs, RUN_MS);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const next = finished ? 'all were looked at' : 'the next run goes on';
  log.info(`purge: ${removed} of ${rows} rows in ${partitions} partitions removed in ${seconds} s; ${next}`);
}

/**
 * Removes rows that have expired: interactions after `ttlMs` milliseconds. Stops after `runMs`, between partitions; the
 * next run goes on there. It may be ended at any moment. Rejects when the store fails.
 */
export async function purgeSessions(store: RowStore, ttlMs: number, runMs: number): Promise<PurgeReport> {
  const end = performance.now() + runMs;
  const report: PurgeReport = { partitions: 0, rows: 0, removed: 0, finished: true };
  const cursor = await store.get(CURSOR.partition, CURSOR.key);
  let after = String(cursor?.properties['after'] ?? '');
  // Nothing below runs for as long, but a page may.
  const signal = AbortSignal.timeout(runMs + GRACE_MS);
  for await (const partitions of wholePartitions(store.scan(after, ['updatedAt', 'storedAt'], signal))) {
    await purgeAll(store, partitions, ttlMs, report);
    after = partitions.at(-1)?.[0]?.partition ?? after;
    if (performance.now() < end) continue;
    report.finished = false;
    break;
  }
  await store.merge(CURSOR.partition, CURSOR.key, { after: report.finished ? '' : after });
  return report;
}

/** Gives the rows of one partition after another; those of the last in a page may go on in the next one. */
async function* wholePartitions(pages: AsyncIterable<ScannedRow[]>): AsyncGenerator<ScannedRow[][]> {
  let open: ScannedRow[] = [];
  for await (const page of pages) {
    const partitions = [...Map.groupBy([...open, ...page], ({ partition }) => partition).values()];
    open = partitions.pop() ?? [];
    if (partitions.length > 0) yield partitions;
  }
  if (open.length > 0) yield [open];
}

async function purgeAll(
  store: RowStore,
  partitions: ScannedRow[][],
  ttlMs: number,
  report: PurgeReport,
): Promise<void> {
  const waiting = partitions.values();
  const worker = async (): Promise<void> => {
    for (const rows of waiting) {
      const expired = expiredKeys(rows, ttlMs);
      await removeRows(store, rows[0]?.partition ?? '', expired);
      report.partitions++;
      report.rows += rows.length;
      report.removed += expired.length;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/**
 * The keys to be removed from a partition, in this order: what was forgotten, oldest conversation first, what is too
 * old, and last the marker that hid what was forgotten. So nothing forgotten comes back, wherever it is interrupted.
 */
function expiredKeys(rows: ScannedRow[], ttlMs: number): string[] {
  const oldest = Date.now() - ttlMs;
  const keys = rows.map(({ key }) => key).filter(isInteractionOrMarkerKey);
  const epoch = keys[0] === undefined ? 0 : parseKey(keys[0]).epoch;
  const forgotten = keys.filter((key) => parseKey(key).epoch < epoch).toReversed();
  const own = keys.filter((key) => parseKey(key).epoch === epoch);
  const tooOld = own.filter((key) => !isMarkerKey(key) && parseKey(key).lastMs < oldest);
  const markers = epoch < oldest - MARKER_LIFETIME_MS ? own.filter(isMarkerKey) : [];
  const others = rows.filter((row) => isOtherExpired(row, oldest)).map(({ key }) => key);
  return [...forgotten, ...others, ...tooOld, ...markers];
}

function isOtherExpired({ key, properties }: ScannedRow, oldest: number): boolean {
  if (key.startsWith(CLAIM_PREFIX)) return Number(properties['storedAt']) < Date.now() - KEY_LIFETIME_MS;
  return isIndexKey(key) && Number(properties['updatedAt']) < oldest - MARKER_LIFETIME_MS;
}
