/** The interface of the answer cache's tiers, and the fastest tier: memory. */
import { LRUCache } from 'lru-cache';
import type { TokenUsage } from '../model/completion.ts';

/** A complete answer of the model. Times in milliseconds since 1970. */
export interface CachedAnswer {
  text: string;
  /** Name and version of the model that answered; absent when it gave none. */
  model?: string | undefined;
  tokens: TokenUsage;
  storedAt: number;
  expiresAt: number;
}

/** Remaining lifetime of an answer in milliseconds. The caller must not store it at 0, which stores take as "forever". */
export const lifetimeOf = ({ expiresAt }: CachedAnswer): number => Math.max(0, expiresAt - Date.now());

/** The tiers, by name. */
export type TierName = 'memory' | 'sqlite' | 'redis';

/** The highest generation: the file has 31 bits for it. */
export const MAX_GENERATION = 2 ** 31 - 1;

/** Keeps the generation of the cached answers for the processes that share a tier. Rejects when the tier fails. */
export interface GenerationStore {
  /** Gives the stored generation; 0 when there is none. */
  read(): Promise<number>;
  /** Stores `atLeast`, or the stored generation plus `step` when that is higher. Gives what is stored then. */
  raise(atLeast: number, step: 0 | 1): Promise<number>;
}

/** Stores answers by key until they expire. Every method rejects when the tier fails. */
export interface CacheTier {
  readonly name: TierName;
  /** Present in the tiers that processes share. */
  readonly generation?: GenerationStore;
  get(key: string): Promise<CachedAnswer | undefined>;
  set(key: string, answer: CachedAnswer): Promise<void>;
  /** Deletes all answers. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps the most recently used answers in at most `maxBytes` of memory. It never fails. */
export function createMemoryTier(maxBytes: number): CacheTier {
  const answers = new LRUCache<string, CachedAnswer>({
    maxSize: maxBytes,
    // A UTF-16 unit takes at most two bytes; the rest of an entry takes about 300.
    sizeCalculation: ({ text }) => 2 * text.length + 300,
  });
  return {
    name: 'memory',
    async get(key) {
      const answer = answers.get(key);
      return answer && answer.expiresAt > Date.now() ? answer : undefined;
    },
    async set(key, answer) {
      answers.set(key, answer);
    },
    async clear() {
      answers.clear();
    },
    async close() {},
  };
}
