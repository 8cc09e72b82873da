/** A Keyv on an SQLite file that several processes may share, configured to never wait for a lock or the disk. */
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
 * size can only be set in an empty file.
 */
const SETTINGS = `PRAGMA synchronous=OFF; PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL;`;

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
