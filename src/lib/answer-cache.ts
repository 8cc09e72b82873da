/** Answers that were given before: the key that tells them apart, and the tiers that keep them. */
import { createHash } from 'node:crypto';
import type { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import type { TokenUsage } from './chat-model.ts';
import type { Config } from './config.ts';
import type { Message } from './prompt.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { WorkUnderWay } from './work.ts';

/** Changes when the layout of {@link CachedAnswer} or of the key does. */
const FORMAT = 1;
const MEMORY_BYTES = 32 * 1024 * 1024;

/** A complete answer of the model. Times in milliseconds since 1970. */
export interface CachedAnswer {
  text: string;
  tokens: TokenUsage;
  storedAt: number;
  expiresAt: number;
}

/** Where an answer was found. */
export type Tier = 'memory' | 'sqlite';

/** What a lookup found. `error` is a miss of which a tier that could not be read may be the reason. */
export type Lookup = { result: 'hit'; answer: CachedAnswer; tier: Tier } | { result: 'miss' | 'error' };

/** Keeps answers by key. Nothing here ever rejects: a cache that fails is a cache that misses. */
export interface AnswerCache {
  lookUp(key: string): Promise<Lookup>;
  /** Keeps an answer for the configured time. Slow tiers are written in the background. */
  store(key: string, answer: Pick<CachedAnswer, 'text' | 'tokens'>): void;
  /** Background writes that failed so far. */
  readonly failedWrites: number;
  close(): Promise<void>;
}

/**
 * Gives the key for an answer: a digest of everything that it depends on. Two requests share a key only if the model
 * would be sent the same.
 */
export function answerCacheKey(config: Config, prompt: readonly Message[]): string {
  const { endpoints, apiVersion, deployment, temperature, maxOutputTokens } = config.model;
  // Fallbacks serve the same deployment: an answer of theirs is as good.
  const [{ url, api }] = endpoints;
  const parts = [
    config.cache.version,
    [api, url, apiVersion, deployment],
    [temperature, maxOutputTokens ?? null],
    prompt,
  ];
  return `answer:${FORMAT}:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`;
}

/**
 * Opens the cache: memory, then SQLite. The file is opened in the background; one that cannot be opened is reported
 * with `warn` once, and the cache goes on with memory alone. Background writes are added to `work`.
 */
export function createAnswerCache(
  { path, ttlMs }: Config['cache'],
  work: WorkUnderWay,
  warn: (message: string) => void,
): AnswerCache {
  const memory = new LRUCache<string, CachedAnswer>({
    maxSize: MEMORY_BYTES,
    // A character of the text takes at most two bytes; the rest of an entry is about 300.
    sizeCalculation: ({ text }) => 2 * text.length + 300,
  });
  let failedWrites = 0;
  const opening = openSqliteStore<CachedAnswer>(path).catch((error: unknown) => {
    warn(`The cache file ${path} cannot be used, answers are kept in memory only: ${String(error)}`);
    return null;
  });

  async function write(key: string, answer: CachedAnswer): Promise<void> {
    try {
      const stored = await (await opening)?.set(key, answer, answer.expiresAt - Date.now());
      if (stored === false) failedWrites++;
    } catch {
      failedWrites++;
    }
  }

  return {
    async lookUp(key) {
      const found = fresh(memory.get(key));
      if (found) return { result: 'hit', answer: found, tier: 'memory' };
      const sqlite = await opening;
      if (sqlite === null) return { result: 'error' };
      return lookUpSqlite(sqlite, key, (answer) => memory.set(key, answer));
    },
    store(key, { text, tokens }) {
      const storedAt = Date.now();
      const answer = { text, tokens, storedAt, expiresAt: storedAt + ttlMs };
      memory.set(key, answer);
      void work.add(write(key, answer));
    },
    get failedWrites() {
      return failedWrites;
    },
    async close() {
      await (await opening)?.disconnect();
    },
  };
}

async function lookUpSqlite(
  sqlite: Keyv<CachedAnswer>,
  key: string,
  promote: (answer: CachedAnswer) => void,
): Promise<Lookup> {
  try {
    const answer = fresh(await sqlite.get(key));
    if (!answer) return { result: 'miss' };
    promote(answer);
    return { result: 'hit', answer, tier: 'sqlite' };
  } catch {
    return { result: 'error' };
  }
}

const fresh = (answer: CachedAnswer | undefined): CachedAnswer | undefined =>
  answer && answer.expiresAt > Date.now() ? answer : undefined;
