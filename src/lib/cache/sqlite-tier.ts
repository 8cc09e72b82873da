/** The cache tier in an SQLite file. The file is opened and repaired in the background, and written through one queue. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CachedAnswer,
  type CacheTier,
  type GenerationStore,
  lifetimeOf,
  WriteQueue,
} from './cache-tier.ts';
import {
  deleteAll,
  deleteExpired,
  evictOldest,
  raiseGeneration,
  readGeneration,
  type SqliteAccess,
  openSqliteFile,
  removeSqliteFile,
  type SqliteFile,
  sqliteFault,
} from './sqlite-file.ts';

/** Pause before the next attempt to open a file that another process has locked. */
const BUSY_RETRY_MS = 50;
/** Pause before the next attempt to open a file that cannot be used. */
const OPEN_RETRY_MS = 15_000;
/** Attempts at a write, with pauses of 10 ms to 1.3 s between them: about 2.5 s in all. */
const WRITE_ATTEMPTS = 9;
const WRITE_PAUSE_MS = 10;
const QUEUED_WRITES = 1000;
const PURGE_INTERVAL_MS = 60_000;

/**
 * Opens the file at `path`, bounded by `maxBytes`, in the background. `warn` is called once when the file becomes
 * unusable, and once when it is usable again.
 */
export function createSqliteTier(path: string, maxBytes: number, warn: (message: string) => void): CacheTier {
  return new SqliteTier(path, maxBytes, warn);
}

class SqliteTier implements CacheTier {
  readonly name = 'sqlite';
  readonly generation: GenerationStore = {
    read: () => this.#useFile(() => readGeneration(this.#access)),
    raise: (atLeast, step) => this.#useFile(() => raiseGeneration(this.#access, atLeast, step)),
  };
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #writes = new WriteQueue(QUEUED_WRITES);
  readonly #access: SqliteAccess = { current: () => this.#current(), pause: (ms) => this.#pause(ms) };
  /** Settled after the first attempt to open the file, successful or not: the longest that a lookup waits for it. */
  readonly #firstAttempt: Promise<void>;
  #file: SqliteFile | null = null;
  #opening = false;
  /** The file was recreated since it was last usable. Recreating it again would not help. */
  #recreated = false;
  #failing = false;
  #purge: NodeJS.Timeout | undefined;

  constructor(path: string, maxBytes: number, warn: (message: string) => void) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#warn = warn;
    this.#firstAttempt = new Promise((resolve) => void this.#open(resolve));
    this.#schedulePurge();
  }

  get(key: string): Promise<CachedAnswer | undefined> {
    return this.#useFile(() => this.#current().keyv.get(key));
  }

  set(key: string, answer: CachedAnswer): Promise<void> {
    return this.#writes.add(() => this.#write(key, answer));
  }

  async clear(prefix = ''): Promise<void> {
    await this.#firstAttempt;
    // Through the queue, so that writes queued before are deleted too.
    await this.#writes.add(() => deleteAll(this.#access, prefix));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#purge);
    await this.#firstAttempt;
    await this.#file?.close();
    this.#file = null;
  }

  /** Runs an operation at once, before the queued writes. */
  async #useFile<T>(operation: () => Promise<T>): Promise<T> {
    await this.#firstAttempt;
    try {
      return await operation();
    } catch (error) {
      this.#recreateIfDamaged(error);
      throw error;
    }
  }

  #current(): SqliteFile {
    if (!this.#file) throw new Error('the cache file is not open');
    return this.#file;
  }

  /** Retries until the file is open; `onAttempt` is called after each attempt. */
  async #open(onAttempt?: () => void): Promise<void> {
    if (this.#opening || this.#closing.signal.aborted) return;
    this.#opening = true;
    while (!this.#file && !this.#closing.signal.aborted) {
      const pause = await this.#tryToOpen();
      onAttempt?.();
      if (pause > 0) await this.#pause(pause);
    }
    this.#opening = false;
  }

  /** Gives the milliseconds to wait before the next attempt; 0 when the file is open. */
  async #tryToOpen(): Promise<number> {
    try {
      this.#file = await openSqliteFile(this.#path, this.#maxBytes);
      if (this.#failing) this.#warn(`The cache file ${this.#path} can be used again.`);
      this.#failing = this.#recreated = false;
      return 0;
    } catch (error) {
      const fault = sqliteFault(error);
      if (fault === 'busy') return BUSY_RETRY_MS * (1 + Math.random());
      this.#warnOnce(error);
      if (fault !== 'damaged' || this.#recreated) return OPEN_RETRY_MS;
      this.#remove();
      return BUSY_RETRY_MS;
    }
  }

  #remove(): void {
    this.#recreated = true;
    try {
      removeSqliteFile(this.#path);
    } catch {
      // The next attempt to open the file reports what is wrong.
    }
  }

  #warnOnce(error: unknown): void {
    if (!this.#failing) this.#warn(`The cache file ${this.#path} cannot be used now: ${String(error)}`);
    this.#failing = true;
  }

  #recreateIfDamaged(error: unknown): void {
    const file = this.#file;
    if (!file || sqliteFault(error) !== 'damaged') return;
    this.#warnOnce(error);
    this.#file = null;
    void this.#replace(file);
  }

  async #replace(file: SqliteFile): Promise<void> {
    // Closing a damaged file may fail.
    await file.close().catch(() => {});
    // Unless another process has recreated it already.
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
        this.#recreateIfDamaged(error);
        if (attempt === WRITE_ATTEMPTS || this.#closing.signal.aborted) throw error;
        if (sqliteFault(error) === 'full') await evictOldest(this.#access);
        else await this.#pause(WRITE_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
      }
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
    // A failure, such as a lock of another process, is left to the next purge.
    await deleteExpired(this.#access).catch(() => {});
  }

  /** Returns early when the tier is closed. Does not keep the process alive. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {});
  }
}
