/**
 * A Keyv on an SQLite file that several processes may share, configured to never wait for a lock or the disk; and what keeps the
 * file within its bounds, in steps that do not block requests. The generation is in the file's header, as SQLite's
 * `user_version`, which needs no table and no room.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { KeyvSqlite, type SqliteDriver } from '@keyv/sqlite';
import { Keyv } from 'keyv';
import type { CachedAnswer } from './cache-tier.ts';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

const PAGE_BYTES = 8192;
/** Pages in the write-ahead log that trigger a checkpoint: few, because the checkpoint runs inside a write. */
const CHECKPOINT_PAGES = 100;

/** An open cache file. */
export interface SqliteFile {
  keyv: Keyv<CachedAnswer>;
  /** Runs one SQL statement; the entries are in the table `keyv`. */
  query(sql: string, ...parameters: unknown[]): Promise<unknown[]>;
  /** False when the file at the path was removed or replaced. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

/**
 * Opens the file at `path`, and creates the file and its folder when they are missing. A file that is larger than
 * `maxBytes`, or was last written before the machine started, is recreated.
 * All operations reject with the error of SQLite, which {@link sqliteFault} classifies. None waits for a lock: the
 * driver is synchronous, so waiting would block every request of the process.
 */
export async function openSqliteFile(path: string, maxBytes: number): Promise<SqliteFile> {
  makeFolder(dirname(path));
  const existing = statSync(path, { throwIfNoEntry: false });
  // Opening a pipe may wait forever; a device or a folder must not be replaced.
  if (existing && !existing.isFile()) throw new Error('the path is not a regular file');
  if (existing && (existing.size > maxBytes || isFromBeforeBoot(path))) removeSqliteFile(path);
  const store = new KeyvSqlite({ uri: `sqlite://${path}`, driver: nodeSqlite });
  await store.ready;
  await store.query(`PRAGMA max_page_count=${Math.floor(maxBytes / PAGE_BYTES)}`);
  await store.query(`PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}`);
  const opened = inode(path);
  return {
    // Without a listener for `error`, Keyv rejects the operation that failed.
    keyv: new Keyv<CachedAnswer>({ store }),
    query: (sql, ...parameters) => store.query(sql, ...parameters),
    isCurrent: () => inode(path) === opened,
    close: () => store.close(),
  };
}

/**
 * Creates a folder and its parents. Not with the option `recursive`, which makes Node loop forever where the system
 * reports an existing parent as missing, as below /proc.
 */
function makeFolder(folder: string): void {
  const parent = dirname(folder);
  if (existsSync(folder) || parent === folder) return;
  makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have created it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Writes that had not reached the disk when the machine stopped may be missing, so such a file may be inconsistent. */
function isFromBeforeBoot(path: string): boolean {
  const bootedAt = Date.now() - 1000 * uptime();
  const writtenAt = [path, `${path}-wal`].map(
    (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...writtenAt) < bootedAt;
}

/** Removes the file and SQLite's files beside it. Processes that have them open can still use them. */
export function removeSqliteFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

/** Classifies an error of SQLite. `busy` and `full` are worth a retry; a `damaged` file has to be recreated. */
export function sqliteFault(error: unknown): 'busy' | 'full' | 'damaged' | 'other' {
  // The lower byte is the primary code: sqlite.org/rescode.html
  const { errcode } = (error ?? {}) as { errcode?: number };
  switch (errcode === undefined ? undefined : errcode & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return 'busy';
    case 13: // SQLITE_FULL
      return 'full';
    case 10: // SQLITE_IOERR, which a truncated file causes too
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return 'damaged';
    default:
      return 'other';
  }
}

const inode = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** Compiled statements of one file. The adapter and we use about a dozen; those that delete many keys vary. */
const MAX_STATEMENTS = 32;

/**
 * The settings of a connection. It never waits for the disk, not even when it creates the file, which delays the first
 * question: only a crash of the machine can damage the file then, and a file from before the last boot is not used. The page
 * size can only be set in an empty file. What is deleted is overwritten with zeros.
 */
const SETTINGS = `PRAGMA synchronous=OFF; PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA secure_delete=ON;`;

/** Opens files in write-ahead mode, without waiting for locks. */
const nodeSqlite: SqliteDriver = {
  name: 'node:sqlite',
  async connect({ filename }) {
    const database = new DatabaseSync(filename, { timeout: 0 });
    try {
      database.exec(SETTINGS);
    } catch (error) {
      database.close();
      throw error;
    }
    const statements = new Map<string, StatementSync>();
    const compile = (sql: string): StatementSync => {
      const statement = statements.get(sql) ?? database.prepare(sql);
      if (statements.size < MAX_STATEMENTS) statements.set(sql, statement);
      return statement;
    };
    return {
      query: async (sql, ...parameters) => compile(sql).all(...(parameters as SQLInputValue[])),
      close: async () => database.close(),
    };
  },
};

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
/** Attempts while another process holds the lock, with a pause after each: 200 ms, as locks are held for milliseconds. */
const LOCK_ATTEMPTS = 20;
const LOCK_PAUSE_MS = 10;

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
export async function deleteExpired(access: SqliteAccess): Promise<void> {
  const deleted = await deleteInChunks(access, 'SELECT rowid FROM keyv WHERE expires <= ?', Date.now());
  if (deleted > 0) await emptyLog(access);
}

/** Deletes the entries whose keys begin with `prefix`. Rejects with the error of SQLite. */
export async function deleteAll(access: SqliteAccess, prefix: string): Promise<void> {
  // Keys are ASCII: U+FFFF sorts after all of their characters.
  const rows = 'SELECT rowid FROM keyv WHERE key >= ? AND key < ?';
  await whileLocked(access, () => deleteInChunks(access, rows, prefix, `${prefix}\uffff`));
  await emptyLog(access);
}

/** Removes the write-ahead log, which has the pages as they were before a deletion. Waits for readers in other processes. */
const emptyLog = (access: SqliteAccess): Promise<void> =>
  whileLocked(access, async () => {
    const [row] = (await access.current().query('PRAGMA wal_checkpoint(TRUNCATE)')) as { busy: number }[];
    if (row?.busy) throw new FileLockedError('another process reads the cache file');
  });

/** Another connection uses the file. */
class FileLockedError extends Error {
  /** SQLITE_BUSY. */
  readonly errcode = 5;
}

async function deleteInChunks(
  { current, pause }: SqliteAccess,
  rows: string,
  ...parameters: unknown[]
): Promise<number> {
  const sql = `DELETE FROM keyv WHERE rowid IN (${rows} LIMIT ?) RETURNING 1`;
  let count = 0;
  for (let limit = MIN_CHUNK_ROWS; ;) {
    const startedAt = performance.now();
    const deleted = await current().query(sql, ...parameters, limit);
    count += deleted.length;
    if (deleted.length < limit) return count;
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
export const raiseGeneration = (access: SqliteAccess, atLeast: number, step: 0 | 1): Promise<number> =>
  whileLocked(access, async () => {
    const stored = await readGeneration(access);
    const raised = Math.max(atLeast, stored + step);
    if (raised > stored) await access.current().query(`PRAGMA user_version=${raised}`);
    return raised;
  });

/** Repeats `operation` while another process has locked the file. Rejects with the error of SQLite. */
async function whileLocked<T>({ pause }: SqliteAccess, operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (sqliteFault(error) !== 'busy' || attempt === LOCK_ATTEMPTS) throw error;
      await pause(LOCK_PAUSE_MS);
    }
  }
}
