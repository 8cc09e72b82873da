/** A Keyv on an SQLite file that several processes may share, set up so that it never holds up the event loop. */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KeyvSqlite } from '@keyv/sqlite';
import { Keyv } from 'keyv';
import type { CachedAnswer } from './cache-tier.ts';

const PAGE_BYTES = 8192;
/** Pages after which the log is written back to the file: few, since that happens inside somebody's write. */
const CHECKPOINT_PAGES = 100;

/** An open file. */
export interface SqliteFile {
  keyv: Keyv<CachedAnswer>;
  /** Runs one statement of SQL on it; `keyv` is its table. */
  query(sql: string, ...parameters: unknown[]): Promise<unknown[]>;
  /** False when another file has taken its place, or none. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

/**
 * Opens the file at `path`, making it and its folder when missing. One that is larger than `maxBytes`, or was written
 * before the machine started, is made anew.
 * Everything here rejects with the error of SQLite, which {@link sqliteFault} reads; nothing waits for a lock: the
 * driver is synchronous, so that a wait would stop every request of the process.
 */
export async function openSqliteFile(path: string, maxBytes: number): Promise<SqliteFile> {
  makeFolder(dirname(path));
  const existing = statSync(path, { throwIfNoEntry: false });
  // To open a pipe may wait for ever, and a device or a folder is not ours to replace.
  if (existing && !existing.isFile()) throw new Error('there is something else than a regular file');
  if (existing && (existing.size > maxBytes || isFromBeforeBoot(path))) removeSqliteFile(path);
  prepare(path);
  const store = new KeyvSqlite({ uri: `sqlite://${path}`, driver: 'node:sqlite', wal: true });
  await store.ready;
  // Never wait for the disk, inside somebody's write: what that risks ends with the machine, and so does the file.
  await store.query('PRAGMA synchronous=OFF');
  await store.query(`PRAGMA max_page_count=${Math.floor(maxBytes / PAGE_BYTES)}`);
  await store.query(`PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}`);
  const opened = inode(path);
  return {
    // Without a listener for `error`, Keyv rejects the operation that failed, which tells us which one it was.
    keyv: new Keyv<CachedAnswer>({ store }),
    query: (sql, ...parameters) => store.query(sql, ...parameters),
    isCurrent: () => inode(path) === opened,
    close: () => store.close(),
  };
}

/**
 * Makes a folder and those above it. Not by the option `recursive`: with it Node tries for ever where the system says
 * that the folder above is missing although it is there, as below /proc.
 */
function makeFolder(folder: string): void {
  const above = dirname(folder);
  if (existsSync(folder) || above === folder) return;
  makeFolder(above);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What was not yet on the disk when the machine stopped may be missing, so the file cannot be believed. */
function isFromBeforeBoot(path: string): boolean {
  const bootedAt = Date.now() - 1000 * uptime();
  const writtenAt = [path, `${path}-wal`].map(
    (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...writtenAt) < bootedAt;
}

/** Removes the file and what SQLite keeps beside it. Processes that have it open go on with what they have. */
export function removeSqliteFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

/** What an error of SQLite means for us. `busy` and `full` pass, `broken` does not. */
export function sqliteFault(error: unknown): 'busy' | 'full' | 'broken' | 'other' {
  // sqlite.org/rescode.html; the lower byte is the primary code.
  const { errcode } = (error ?? {}) as { errcode?: number };
  switch (errcode === undefined ? undefined : errcode & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return 'busy';
    case 13: // SQLITE_FULL
      return 'full';
    case 10: // SQLITE_IOERR: a file cut short ends here too.
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return 'broken';
    default:
      return 'other';
  }
}

/** The size of a page can only be set in an empty file; the adapter would leave it at 4096. */
function prepare(path: string): void {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec(`PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL;`);
  } finally {
    database.close();
  }
}

const inode = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;
