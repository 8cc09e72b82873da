/** What a tier of the answer cache is, and the fastest one: memory. */
import { LRUCache } from 'lru-cache';
import type { TokenUsage } from '../model/completion.ts';

/** A complete answer of the model. Times in milliseconds since 1970. */
export interface CachedAnswer {
  text: string;
  tokens: TokenUsage;
  storedAt: number;
  expiresAt: number;
}

/** Milliseconds for which an answer is still to be kept; 0 when it is not to be stored: stores take 0 for "for ever". */
export const lifetimeOf = ({ expiresAt }: CachedAnswer): number => Math.max(0, expiresAt - Date.now());

/** Where an answer was found. */
export type TierName = 'memory' | 'sqlite' | 'redis';

/** Keeps answers by key until they expire. Every method rejects when the tier fails. */
export interface CacheTier {
  readonly name: TierName;
  get(key: string): Promise<CachedAnswer | undefined>;
  set(key: string, answer: CachedAnswer): Promise<void>;
  /** Forgets everything. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps the answers that were used last, in at most `maxBytes`. It never fails. */
export function createMemoryTier(maxBytes: number): CacheTier {
  const answers = new LRUCache<string, CachedAnswer>({
    maxSize: maxBytes,
    // A character of the text takes at most two bytes; the rest of an entry is about 300.
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
