/** Answers that were given before: the key that tells them apart, and the tiers that keep them. */
import { createRateLimitedWarning } from '../runtime/rate-limited-warning.ts';
import { createHash } from 'node:crypto';
import { type CachedAnswer, type CacheTier, createMemoryTier, type TierName } from './cache-tier.ts';
import type { Config } from '../config/config.ts';
import type { ModelParameters } from '../model/parameters.ts';
import type { Message } from '../model/completion.ts';
import { createSqliteTier } from './sqlite-tier.ts';
import type { PendingWork } from '../runtime/pending-work.ts';

/** Changes when the layout of {@link CachedAnswer} or of the key does. */
const FORMAT = 3;

/** What a lookup found. `error` is a miss of which a tier that failed may be the reason. */
export type Lookup =
  | { result: 'hit'; answer: CachedAnswer; tier: TierName; ageMs: number }
  | { result: 'miss' | 'error' };

/** Background writes of this process so far, to all tiers but memory. */
export interface CacheWrites {
  done: number;
  failed: number;
}

/** Keeps answers by key. No lookup and no write ever rejects: a cache that fails is a cache that misses. */
export interface AnswerCache {
  /** Looks for an answer younger than `maxAgeMs`, in one tier after another. */
  lookUp(key: string, maxAgeMs?: number): Promise<Lookup>;
  /** Keeps an answer for the configured time. Slow tiers are written in the background. */
  store(key: string, answer: Pick<CachedAnswer, 'text' | 'tokens'>): void;
  /** Empties the tiers. Gives the names of those that could not be emptied. */
  clear(): Promise<TierName[]>;
  readonly tiers: readonly TierName[];
  readonly writes: Readonly<CacheWrites>;
  close(): Promise<void>;
}

/**
 * Gives the key for an answer: a digest of everything that it depends on. Two requests share a key only if the model
 * would be sent the same, and if they are of the same `partition`: a user whose answers are nobody else's, or null.
 */
export function answerCacheKey(
  config: Config,
  parameters: ModelParameters,
  prompt: readonly Message[],
  partition: string | null = null,
): string {
  const { endpoints, apiVersion, deployment } = config.model;
  // Fallbacks serve the same deployment: an answer of theirs is as good.
  const [{ url, api }] = endpoints;
  const parts = [
    config.cache.version,
    partition,
    [api, url, apiVersion, deployment],
    Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    prompt,
  ];
  return `answer:${FORMAT}:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`;
}

/** Opens the cache that the settings want; null when they want none. The parameters are those of the two below. */
export async function openAnswerCache(
  config: Config['cache'],
  work: PendingWork,
  warn: (message: string) => void,
): Promise<AnswerCache | null> {
  if (config.ttlMs === 0) return null;
  return createAnswerCache(await openCacheTiers(config, warn), config.ttlMs, work, warn);
}

/** Opens the tiers that the settings name, the fastest first. `warn` is told when one of them begins to fail. */
export async function openCacheTiers(
  { memoryBytes, path, maxBytes, redisUrl }: Config['cache'],
  warn: (message: string) => void,
): Promise<CacheTier[]> {
  const tiers = [createMemoryTier(memoryBytes), createSqliteTier(path, maxBytes, warn)];
  if (redisUrl === undefined) return tiers;
  // Loaded only here: the library is large, and most have no Redis.
  const { createRedisTier } = await import('./redis-tier.ts');
  return [...tiers, createRedisTier(redisUrl, warn)];
}

/**
 * Makes a cache of `tiers` that keeps answers for `ttlMs`. Its background writes are added to `work`; `warn` is told
 * when some of them fail.
 */
export function createAnswerCache(
  tiers: CacheTier[],
  ttlMs: number,
  work: PendingWork,
  warn: (message: string) => void,
): AnswerCache {
  const writes = { done: 0, failed: 0 };
  const warnOfWrite = createRateLimitedWarning(warn);

  async function write(tier: CacheTier, key: string, answer: CachedAnswer): Promise<void> {
    try {
      await tier.set(key, answer);
      // Memory is no work in the background.
      if (tier.name !== 'memory') writes.done++;
    } catch (error) {
      writes.failed++;
      warnOfWrite(
        (count) => `Cached answers are not kept in ${tier.name} (${count} so far): ${String(error)}`,
      );
    }
  }
  const fill = (upTo: CacheTier[], key: string, answer: CachedAnswer): void => {
    for (const tier of upTo) void work.add(write(tier, key, answer));
  };

  return {
    async lookUp(key, maxAgeMs = Infinity) {
      let failed = false;
      for (const [index, tier] of tiers.entries()) {
        try {
          const answer = await tier.get(key);
          // The clock of the instance that stored it may be ahead of ours.
          const ageMs = answer ? Math.max(0, Date.now() - answer.storedAt) : Infinity;
          if (!answer || answer.expiresAt <= Date.now() || ageMs >= maxAgeMs) continue;
          fill(tiers.slice(0, index), key, answer);
          return { result: 'hit', answer, tier: tier.name, ageMs };
        } catch {
          failed = true;
        }
      }
      return { result: failed ? 'error' : 'miss' };
    },
    store(key, { text, tokens }) {
      const storedAt = Date.now();
      fill(tiers, key, { text, tokens, storedAt, expiresAt: storedAt + ttlMs });
    },
    async clear() {
      const failed: TierName[] = [];
      // The slowest first: what is found in it until then fills the faster ones.
      for (const tier of tiers.toReversed()) await tier.clear().catch(() => failed.push(tier.name));
      return failed;
    },
    tiers: tiers.map(({ name }) => name),
    writes,
    async close() {
      await Promise.allSettled(tiers.map((tier) => tier.close()));
    },
  };
}
