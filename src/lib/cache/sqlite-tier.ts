/** The cache tier in an SQLite file: opened and healed in the background, bounded, written through one queue. */
import { setTimeout as delay } from 'node:timers/promises';
import { type CachedAnswer, type CacheTier, lifetimeOf } from './cache-tier.ts';
import { openSqliteFile, removeSqliteFile, type SqliteFile, sqliteFault } from './sqlite-file.ts';
import { WriteQueue } from './write-queue.ts';

/** Between attempts to open a file that another process holds, and one that cannot be used. */
const BUSY_RETRY_MS = 50;
const OPEN_RETRY_MS = 15_000;
/** Attempts at a write, with pauses of 10 ms to 1.3 s between them: about 2.5 s in all. */
const WRITE_ATTEMPTS = 9;
const WRITE_PAUSE_MS = 10;
const QUEUED_WRITES = 1000;
/** Rows that make room for one: few, because large answers take long to delete. */
const EVICTED_ROWS = 20;
const PURGE_INTERVAL_MS = 60_000;
/** Rows deleted at once: at most these, and as few as it takes to be done in this time; then others have a turn. */
const MAX_DELETED_ROWS = 500;
const MIN_DELETED_ROWS = 10;
const DELETE_MS = 3;
const DELETE_PAUSE_MS = 5;

/**
 * Opens the file at `path`, bounded by `maxBytes`, in the background. `warn` is told once when it cannot be used, and
 * once when it can again.
 */
export function createSqliteTier(path: string, maxBytes: number, warn: (message: string) => void): CacheTier {
  return new SqliteTier(path, maxBytes, warn);
}

class SqliteTier implements CacheTier {
  readonly name = 'sqlite';
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #writes = new WriteQueue(QUEUED_WRITES);
  /** Settled when the file was opened, or could not be for the first time: questions wait no longer than that. */
  readonly #firstAttempt: Promise<void>;
  #file: SqliteFile | null = null;
  #opening = false;
  /** It was made anew since it was last usable: if that did not help, doing it again will not. */
  #renewed = false;
  #failing = false;
  #purge: NodeJS.Timeout | undefined;

  constructor(path: string, maxBytes: number, warn: (message: string) => void) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#warn = warn;
    this.#firstAttempt = new Promise((resolve) => void this.#open(resolve));
    this.#schedulePurge();
  }

  async get(key: string): Promise<CachedAnswer | undefined> {
    await this.#firstAttempt;
    try {
      return await this.#current().keyv.get(key);
    } catch (error) {
      this.#healIfBroken(error);
      throw error;
    }
  }

  set(key: string, answer: CachedAnswer): Promise<void> {
    return this.#writes.add(() => this.#write(key, answer));
  }

  async clear(): Promise<void> {
    await this.#firstAttempt;
    // In its turn, so that what waits to be written is forgotten too.
    await this.#writes.add(() => this.#deleteInChunks('SELECT rowid FROM keyv'));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#purge);
    await this.#firstAttempt;
    await this.#file?.close();
    this.#file = null;
  }

  #current(): SqliteFile {
    if (!this.#file) throw new Error('the cache file is not open');
    return this.#file;
  }

  /** Tries until the file is open; `tried` is called after the first attempt. */
  async #open(tried?: () => void): Promise<void> {
    if (this.#opening || this.#closing.signal.aborted) return;
    this.#opening = true;
    while (!this.#file && !this.#closing.signal.aborted) {
      const pause = await this.#tryToOpen();
      tried?.();
      if (pause > 0) await this.#pause(pause);
    }
    this.#opening = false;
  }

  /** Gives the milliseconds after which to try again; 0 at once, or when it is open. */
  async #tryToOpen(): Promise<number> {
    try {
      this.#file = await openSqliteFile(this.#path, this.#maxBytes);
      if (this.#failing) this.#warn(`The cache file ${this.#path} can be used again.`);
      this.#failing = this.#renewed = false;
      return 0;
    } catch (error) {
      const fault = sqliteFault(error);
      if (fault === 'busy') return BUSY_RETRY_MS * (1 + Math.random());
      this.#warnOnce(error);
      if (fault !== 'broken' || this.#renewed) return OPEN_RETRY_MS;
      this.#remove();
      return BUSY_RETRY_MS;
    }
  }

  #remove(): void {
    this.#renewed = true;
    try {
      removeSqliteFile(this.#path);
    } catch {
      // Opening it will say what is wrong.
    }
  }

  #warnOnce(error: unknown): void {
    if (!this.#failing) this.#warn(`The cache file ${this.#path} cannot be used now: ${String(error)}`);
    this.#failing = true;
  }

  /** A file that is damaged is made anew, unless another process has done so already. */
  #healIfBroken(error: unknown): void {
    const file = this.#file;
    if (!file || sqliteFault(error) !== 'broken') return;
    this.#warnOnce(error);
    this.#file = null;
    void this.#replace(file);
  }

  async #replace(file: SqliteFile): Promise<void> {
    // Closing a damaged file may fail; it is given up in any case.
    await file.close().catch(() => {});
    if (file.isCurrent()) this.#remove();
    await this.#open();
  }

  async #write(key: string, answer: CachedAnswer): Promise<void> {
    await this.#firstAttempt;
    for (let attempt = 1; ; attempt++) {
      try {
        const lifetime = lifetimeOf(answer);
        if (lifetime > 0) await this.#current().keyv.set(key, answer, lifetime);
        return;
      } catch (error) {
        this.#healIfBroken(error);
        if (attempt === WRITE_ATTEMPTS || this.#closing.signal.aborted) throw error;
        if (sqliteFault(error) === 'full') await this.#evict();
        else await this.#pause(WRITE_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
      }
    }
  }

  /** All entries live equally long, so those that expire first are the oldest. */
  async #evict(): Promise<void> {
    const oldest = 'SELECT rowid FROM keyv WHERE expires IS NOT NULL ORDER BY expires LIMIT ?';
    try {
      await this.#current().query(`DELETE FROM keyv WHERE rowid IN (${oldest})`, EVICTED_ROWS);
      // The write that comes now may take its time as well.
      await new Promise(setImmediate);
    } catch {
      // Busy, or the disk itself is full: the write is tried again, and given up in the end.
      await this.#pause(WRITE_PAUSE_MS);
    }
  }

  #schedulePurge(): void {
    const interval = PURGE_INTERVAL_MS * (0.5 + Math.random());
    this.#purge = setTimeout(() => {
      void this.#purgeExpired().finally(() => {
        if (!this.#closing.signal.aborted) this.#schedulePurge();
      });
    }, interval).unref();
  }

  async #purgeExpired(): Promise<void> {
    if (this.#file && !this.#file.isCurrent()) {
      const file = this.#file;
      this.#file = null;
      await this.#replace(file);
    }
    // What another process keeps from being done now is done the next time.
    await this.#deleteInChunks('SELECT rowid FROM keyv WHERE expires <= ?', Date.now()).catch(() => {});
  }

  async #deleteInChunks(rows: string, ...parameters: unknown[]): Promise<void> {
    const sql = `DELETE FROM keyv WHERE rowid IN (${rows} LIMIT ?) RETURNING 1`;
    for (let limit = MIN_DELETED_ROWS; ;) {
      const startedAt = performance.now();
      const deleted = await this.#current().query(sql, ...parameters, limit);
      if (deleted.length < limit) return;
      const fitting = (limit * DELETE_MS) / (performance.now() - startedAt);
      // Growing slowly: the next rows may lie further apart.
      limit = Math.round(Math.max(MIN_DELETED_ROWS, Math.min(2 * limit, fitting, MAX_DELETED_ROWS)));
      await this.#pause(DELETE_PAUSE_MS);
    }
  }

  /** Ends early when the tier is closed. Nothing here keeps the process alive. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {});
  }
}
