/**
 * The generation of each user's cached answers, with `CACHE_PARTITION=user`: part of their cache keys, in storage, so that
 * no instance finds an answer from before an erasure. Rejected: to tell the other instances, which may be many or asleep;
 * a read every 400 ms as for `DELETE /cache`, which would be one for each user.
 */
import { indexPartition, USER_KEY } from '../history/session-index-rows.ts';
import { RowConflictError, type RowStore } from '../history/row-store.ts';

const MAX_ATTEMPTS = 5;

/** The generations of all users. Every method rejects when the store fails. */
export class UserGenerations {
  readonly #store: RowStore;
  readonly #cacheTtlMs: number;

  /** A generation is kept for at least as long as cached answers are, `cacheTtlMs` milliseconds. */
  constructor(store: RowStore, cacheTtlMs: number) {
    this.#store = store;
    this.#cacheTtlMs = cacheTtlMs;
  }

  /** Gives the generation of a user; 0 before the first erasure. One read. */
  async current(userId: string): Promise<number> {
    const row = await this.#store.get(indexPartition(userId), USER_KEY);
    return Number(row?.properties['generation'] ?? 0);
  }

  /** Begins a new generation, which no user had before: it is a time in milliseconds since 1970. */
  async raise(userId: string): Promise<number> {
    const partition = indexPartition(userId);
    for (let attempt = 0; ; attempt++) {
      const row = await this.#store.get(partition, USER_KEY);
      const generation = Math.max(Date.now(), Number(row?.properties['generation'] ?? 0) + 1);
      // The purge removes the row when this is long ago.
      const updatedAt = String(Date.now() + this.#cacheTtlMs);
      const properties = { generation: String(generation), updatedAt };
      try {
        if (row) await this.#store.replace(partition, USER_KEY, properties, row.etag);
        else await this.#store.insert(partition, USER_KEY, properties);
        return generation;
      } catch (error) {
        if (!(error instanceof RowConflictError) || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }
}
