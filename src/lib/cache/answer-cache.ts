/** The answer cache: how its tiers work together. */
import { createRateLimitedWarning } from '../common/log.ts';
import {
  ageOf,
  type CachedAnswer,
  type CacheTier,
  type CallLeases,
  createMemoryTier,
  KEY_PREFIX,
  partitionName,
  type TierName,
  type UserPartition,
} from './cache-tier.ts';
import type { Config } from '../config/config.ts';
import type { CacheReason } from '../contract/metrics.ts';
import { Generation } from './generation.ts';
import { createSqliteTier } from './sqlite-tier.ts';
import { ErasedPartitions } from './user-partition.ts';
import type { PendingWork } from '../common/pending-work.ts';

/**
 * The result of a lookup. `error`: no tier had the answer, and at least one tier failed. `expired`: an answer that may take
 * the place of one that the model does not give.
 */
export type Lookup =
  | { result: 'hit'; answer: CachedAnswer; tier: TierName; ageMs: number }
  | { result: 'miss' | 'error'; reason?: CacheReason | undefined; expired?: ExpiredAnswer | undefined };

/** An expired answer, and when it becomes too old even for that. Time in milliseconds since 1970. */
export interface ExpiredAnswer {
  answer: CachedAnswer;
  tier: TierName;
  usableUntil: number;
}

/** How old a cached answer may be, in milliseconds. */
export interface AgeLimits {
  /** Since it was stored. */
  maxAgeMs?: number;
  /** Since it has expired, when the model fails. The settings may allow less. */
  staleIfErrorMs?: number;
}

/** How long answers are used, and kept. */
type Lifetimes = Pick<Config['cache'], 'ttlMs' | 'staleIfErrorMs'>;

/** Background writes of this process so far. The memory tier is not counted. */
export interface CacheWrites {
  done: number;
  failed: number;
}

/** Stores answers by key. Lookups and writes never reject: a failure counts as a miss. */
export interface AnswerCache {
  /** Looks for an answer within the limits, the fastest tier first. */
  lookUp(key: string, limits?: AgeLimits): Promise<Lookup>;
  /** Gives the generation for the key of a question. `clear` begins a new one. Never rejects. */
  generation(): Promise<number>;
  /**
   * Stores an answer for the configured lifetime, in the background. Resolves when all tiers have stored it or failed.
   */
  store(key: string, answer: Omit<CachedAnswer, 'storedAt' | 'expiresAt' | 'keptUntil'>): Promise<void>;
  /**
   * Clears all tiers, also those of other processes, which learn of the new generation within 1 s. Gives the names of the
   * tiers that failed.
   */
  clear(): Promise<TierName[]>;
  /**
   * Deletes the answers of a user from the tiers of this instance and from Redis, also those that this process would still
   * store for a generation before `generation`. Gives the names of the tiers that failed.
   */
  erase(partition: UserPartition): Promise<TierName[]>;
  /** The leases of model calls; null when no tier is shared by all instances. */
  readonly leases: CallLeases | null;
  readonly tiers: readonly TierName[];
  readonly writes: Readonly<CacheWrites>;
  close(): Promise<void>;
}

/** What a cache needs. */
export interface CacheParts {
  /** Takes the background writes. */
  work: PendingWork;
  /** Called, at most once a minute for all tiers, when a write fails. */
  warn: (message: string) => void;
  /** Gives the model that an endpoint named last; undefined before its first answer in this process. */
  modelOf: (endpoint: number) => string | undefined;
}

/** Opens the cache of this process; null when the settings turn it off. */
export async function openAnswerCache(
  config: Config['cache'],
  parts: CacheParts,
): Promise<AnswerCache | null> {
  if (config.ttlMs === 0) return null;
  return createAnswerCache(await openCacheTiers(config, parts.warn), config, parts);
}

/** About 10,000 answers of 1,500 characters: in memory, an answer needs twice the size of its text. */
const MAX_MEMORY_BYTES = 32 * 1024 * 1024;

/** Opens the configured tiers, the fastest first. `warn` is called when a tier starts to fail. */
async function openCacheTiers(
  { path, maxBytes, redis }: Config['cache'],
  warn: (message: string) => void,
): Promise<CacheTier[]> {
  const memoryBytes = Math.min(MAX_MEMORY_BYTES, maxBytes);
  const tiers = [createMemoryTier(memoryBytes), createSqliteTier(path, maxBytes, warn)];
  if (redis === undefined) return tiers;
  // Imported only when needed: the library is large, and most apps have no Redis.
  const { createRedisTier } = await import('./redis-tier.ts');
  return [...tiers, createRedisTier(redis, warn)];
}

/** Creates a cache over `tiers`. */
export function createAnswerCache(
  tiers: CacheTier[],
  { ttlMs, staleIfErrorMs }: Lifetimes,
  { work, warn, modelOf }: CacheParts,
): AnswerCache {
  const writes = { done: 0, failed: 0 };
  const warnOfWrite = createRateLimitedWarning(warn);
  /** Made by the first erasure. */
  let erased: ErasedPartitions | undefined;

  async function write(tier: CacheTier, key: string, answer: CachedAnswer): Promise<void> {
    if (erased?.has(key.slice(KEY_PREFIX.length))) return;
    try {
      await tier.set(key, answer);
      if (tier.name !== 'memory') writes.done++;
    } catch (error) {
      writes.failed++;
      warnOfWrite(
        (count) => `Cached answers are not kept in ${tier.name} (${count} so far): ${String(error)}`,
      );
    }
  }
  const fill = (upTo: CacheTier[], key: string, answer: CachedAnswer): Promise<unknown> =>
    Promise.all(upTo.map((tier) => work.add(write(tier, key, answer))));

  /** A deployment may get another model under the same name. An unknown model does not make an answer outdated. */
  const isOfOtherModel = ({ model, endpoint }: CachedAnswer): boolean => {
    const current = modelOf(endpoint);
    if (!model || current === undefined) return false;
    return model !== current;
  };

  /** Why an answer is not used; undefined when it is. */
  const refusalOf = (answer: CachedAnswer, maxAgeMs: number): CacheReason | undefined => {
    if (isOfOtherModel(answer)) return 'model_changed';
    if (answer.expiresAt <= Date.now()) return 'expired';
    return ageOf(answer) >= maxAgeMs ? 'max_age' : undefined;
  };

  const usableUntil = ({ storedAt, expiresAt }: CachedAnswer, { maxAgeMs, staleIfErrorMs: own }: AgeLimits) =>
    Math.min(expiresAt + Math.min(staleIfErrorMs, own ?? Infinity), storedAt + (maxAgeMs ?? Infinity));

  /** Gives the names of the tiers that failed. */
  const clearTiers = async (prefix?: string): Promise<TierName[]> => {
    const failed: TierName[] = [];
    for (const tier of tiers.toReversed()) await tier.clear(prefix).catch(() => failed.push(tier.name));
    return failed;
  };

  const generation = new Generation(tiers, () => {
    // The slower tiers are cleared once, by the process that began the generation.
    for (const tier of tiers) if (tier.name === 'memory') void tier.clear();
  });

  return {
    generation: () => generation.current(),
    async lookUp(key, limits = {}) {
      let failed = false;
      let reason: CacheReason | undefined;
      let expired: ExpiredAnswer | undefined;
      for (const [index, tier] of tiers.entries()) {
        try {
          const answer = await tier.get(key);
          if (!answer) continue;
          const refusal = refusalOf(answer, limits.maxAgeMs ?? Infinity);
          if (!refusal) {
            void fill(tiers.slice(0, index), key, answer);
            return { result: 'hit', answer, tier: tier.name, ageMs: ageOf(answer) };
          }
          // The next tier may have a newer answer, from another instance.
          reason = refusal;
          const until = usableUntil(answer, limits);
          if (refusal === 'expired' && until > Math.max(Date.now(), expired?.usableUntil ?? 0))
            expired = { answer, tier: tier.name, usableUntil: until };
        } catch {
          failed = true;
        }
      }
      if (failed) return { result: 'error', reason, expired };
      return { result: 'miss', reason: reason ?? 'not_found', expired };
    },
    async store(key, { text, model, endpoint, tokens }) {
      const storedAt = Date.now();
      const expiresAt = storedAt + ttlMs;
      const answer = { text, model, endpoint, tokens, storedAt, expiresAt };
      const keptUntil = expiresAt + staleIfErrorMs;
      await fill(tiers, key, staleIfErrorMs > 0 ? { ...answer, keptUntil } : answer);
    },
    async clear() {
      const failed = await generation.advance();
      // No question finds these answers any more; deleting them frees the room.
      return [...new Set([...failed, ...(await clearTiers())])];
    },
    async erase(partition) {
      (erased ??= new ErasedPartitions()).add(partition);
      return clearTiers(KEY_PREFIX + partitionName({ userId: partition.userId }));
    },
    leases: tiers.find(({ leases }) => leases)?.leases ?? null,
    tiers: tiers.map(({ name }) => name),
    writes,
    async close() {
      generation.close();
      await Promise.allSettled(tiers.map((tier) => tier.close()));
    },
  };
}
