/**
 * Keeps the cache file within its bounds: evicts old entries, and deletes expired ones without blocking requests. Keeps
 * the generation in the file's header, as SQLite's `user_version`, which needs no table and no room.
 */
import { type SqliteFile, sqliteFault } from './sqlite-file.ts';

/** Entries evicted to make room for one: few, because large answers take long to delete. */
const EVICTED_ROWS = 20;
const EVICTION_RETRY_MS = 10;
/**
 * A deletion runs in chunks, because the SQLite driver is synchronous and blocks the event loop. The chunk size adapts
 * to take about `CHUNK_MS`, within these limits.
 */
const MAX_CHUNK_ROWS = 500;
const MIN_CHUNK_ROWS = 10;
const CHUNK_MS = 3;
const CHUNK_PAUSE_MS = 5;
/** Attempts at storing the generation while another process holds the lock, with a pause after each. */
const RAISE_ATTEMPTS = 20;
const RAISE_PAUSE_MS = 10;

/** Access to the file of a cache tier. */
export interface SqliteAccess {
  /** Gives the open file. @throws Error while no file is open. */
  current: () => SqliteFile;
  /** Waits; returns early when the tier is closed. */
  pause: (ms: number) => Promise<void>;
}

/** Evicts the oldest entries. Never rejects: the caller retries its write a limited number of times. */
export async function evictOldest({ current, pause }: SqliteAccess): Promise<void> {
  // All entries have the same lifetime, so the oldest expire first.
  const oldest = 'SELECT rowid FROM keyv WHERE expires IS NOT NULL ORDER BY expires LIMIT ?';
  try {
    await current().query(`DELETE FROM keyv WHERE rowid IN (${oldest})`, EVICTED_ROWS);
    // The write that follows blocks the event loop as well.
    await new Promise(setImmediate);
  } catch {
    // The file is locked by another process, or the disk itself is full.
    await pause(EVICTION_RETRY_MS);
  }
}

/** Deletes the expired entries. Rejects with the error of SQLite. */
export const deleteExpired = (access: SqliteAccess): Promise<void> =>
  deleteInChunks(access, 'SELECT rowid FROM keyv WHERE expires <= ?', Date.now());

/** Deletes all entries. Rejects with the error of SQLite. */
export const deleteAll = (access: SqliteAccess): Promise<void> =>
  deleteInChunks(access, 'SELECT rowid FROM keyv');

async function deleteInChunks(
  { current, pause }: SqliteAccess,
  rows: string,
  ...parameters: unknown[]
): Promise<void> {
  const sql = `DELETE FROM keyv WHERE rowid IN (${rows} LIMIT ?) RETURNING 1`;
  for (let limit = MIN_CHUNK_ROWS; ;) {
    const startedAt = performance.now();
    const deleted = await current().query(sql, ...parameters, limit);
    if (deleted.length < limit) return;
    const fitting = (limit * CHUNK_MS) / (performance.now() - startedAt);
    // At most doubled: the next rows may lie further apart in the file.
    limit = Math.round(Math.max(MIN_CHUNK_ROWS, Math.min(2 * limit, fitting, MAX_CHUNK_ROWS)));
    await pause(CHUNK_PAUSE_MS);
  }
}

/** Gives the generation in the file; 0 when there is none. Rejects with the error of SQLite. */
export async function readGeneration({ current }: SqliteAccess): Promise<number> {
  const [row] = (await current().query('PRAGMA user_version')) as { user_version: number }[];
  return Math.max(0, row?.user_version ?? 0);
}

/** Stores `atLeast`, or the stored generation plus `step` when that is higher. Rejects with the error of SQLite. */
export async function raiseGeneration(access: SqliteAccess, atLeast: number, step: 0 | 1): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const stored = await readGeneration(access);
      const raised = Math.max(atLeast, stored + step);
      if (raised > stored) await access.current().query(`PRAGMA user_version=${raised}`);
      return raised;
    } catch (error) {
      if (sqliteFault(error) !== 'busy' || attempt === RAISE_ATTEMPTS) throw error;
      await access.pause(RAISE_PAUSE_MS);
    }
  }
}
