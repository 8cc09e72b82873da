/**
 * The erasure of the cached answers of one user, with `CACHE_PARTITION=user`. Rejected: a list of the keys of each user, which
 * is a further write for each answer.
 */
import { LRUCache } from 'lru-cache';
import { digest } from '../history/session-rows.ts';
import type { UserData } from '../users/erasure.ts';
import type { UserGenerations } from '../users/generations.ts';
import type { UserPartition } from './cache-tier.ts';

/** Erased users whose answers may still be written: more than one process erases in the time of the longest answer. */
const MAX_ERASED = 10_000;

/** The erasures of this process. A model call that began before one must not be cached after it. */
export class ErasedPartitions {
  readonly #generations = new LRUCache<string, number>({ max: MAX_ERASED });

  add({ userId, generation }: UserPartition): void {
    this.#generations.set(digest(userId), generation);
  }

  /** True for the name in a key when its generation was erased. */
  has(name: string): boolean {
    const [user = '', generation] = name.split(':', 2);
    return Number(generation) < (this.#generations.get(user) ?? 0);
  }
}

/**
 * The cached answers as a part of what is kept of a user. The sessions are to be erased before. `cache` gives the names of
 * the tiers that failed.
 */
export function createCachedUserData(
  cache: { erase: (partition: UserPartition) => Promise<string[]> },
  generations: UserGenerations,
): UserData {
  return {
    async erase(userId) {
      // First, because an instance that reads the new generation finds no older answer, whatever happens next.
      const generation = await generations.raise(userId);
      const failed = await cache.erase({ userId, generation });
      if (failed.length > 0)
        throw new Error(`cached answers in ${failed.join(' and ')} could not be deleted`);
    },
    // Copies of answers: those that are kept are in the sessions.
    async *export() {},
  };
}
