/** A Keyv on an SQLite file that several processes may share, set up so that it never holds up the event loop. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KeyvSqlite } from '@keyv/sqlite';
import { Keyv } from 'keyv';

const PAGE_BYTES = 8192;
/** Hard bound on the file; beyond it a write fails and is dropped. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** How long opening may wait for another process that opens at the same moment. */
const OPEN_TIMEOUT_MS = 250;

/**
 * Opens the file at `path`, making it and its folder when missing. `get`, `set` and `disconnect` of the result reject
 * when the file cannot be used.
 */
export async function openSqliteStore<Value>(path: string): Promise<Keyv<Value>> {
  mkdirSync(dirname(path), { recursive: true });
  prepareFile(path);
  const store = new KeyvSqlite({
    uri: `sqlite://${path}`,
    driver: 'node:sqlite',
    wal: true,
    busyTimeout: OPEN_TIMEOUT_MS,
  });
  await store.ready;
  // The driver is synchronous: waiting for another process's lock would stop every request of this one.
  await store.query('PRAGMA busy_timeout=0');
  await store.query('PRAGMA synchronous=NORMAL');
  await store.query(`PRAGMA max_page_count=${MAX_FILE_BYTES / PAGE_BYTES}`);
  // Without a listener for `error`, Keyv rejects the operation that failed, which tells us which one it was.
  return new Keyv<Value>({ store });
}

/** The size of a page can only be set in an empty file; the adapter would leave it at 4096. */
function prepareFile(path: string): void {
  const database = new DatabaseSync(path, { timeout: OPEN_TIMEOUT_MS });
  try {
    database.exec(`PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL;`);
  } finally {
    database.close();
  }
}
