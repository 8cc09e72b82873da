/**
 * The generation of the cached answers: how `DELETE /cache` reaches the other processes. It is part of every cache key,
 * and it is stored in the tiers that processes share (docs/decisions/answer-cache.md). Rejected: pub/sub, which loses
 * what is sent while it is disconnected, and needs this read as well; the time of the clearing, because clocks differ;
 * a random token, which has no order.
 */
import { type CacheTier, type GenerationStore, MAX_GENERATION, type TierName } from './cache-tier.ts';
import type { UseRedis } from './redis-sign-in.ts';

/** Time between two reads while questions arrive. With a read that takes long, a change is still seen within 1 s. */
const POLL_MS = 400;
/** Time between two reads while a tier fails: answers of a tier that is back are found only with its generation. */
const RETRY_MS = 100;
/** A lookup waits for a read when the last one is older: after a pause without questions, or a blocked event loop. */
const MAX_AGE_MS = 900;
/** Polling ends this long after the last question. */
const IDLE_MS = 60_000;
/** 2026-01-01 in seconds since 1970: a generation, which grows by at least 1 with each clearing, stays below 2^31. */
const EPOCH_S = 1_767_225_600;

type SharedTier = CacheTier & { generation: GenerationStore };

/** The generation as this process knows it: the highest that it has seen, 0 until the first `DELETE /cache`. */
export class Generation {
  readonly #shared: SharedTier[];
  readonly #onRaised: () => void;
  #known = 0;
  #readAt = -Infinity;
  #usedAt = -Infinity;
  #reading: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #closed = false;

  /** `onRaised` is called when this process learns of a higher generation, so that it drops its own answers. */
  constructor(tiers: readonly CacheTier[], onRaised: () => void) {
    this.#shared = tiers.filter((tier): tier is SharedTier => tier.generation !== undefined);
    this.#onRaised = onRaised;
  }

  /** Gives the generation. Waits for the shared tiers only when it has not been read for a while. Never rejects. */
  async current(): Promise<number> {
    this.#usedAt = performance.now();
    if (this.#usedAt - this.#readAt > MAX_AGE_MS) await this.#read();
    this.#poll();
    return this.#known;
  }

  /** Begins a new generation everywhere. Gives the names of the tiers that failed. */
  async advance(): Promise<TierName[]> {
    const failed: TierName[] = [];
    let next = Math.max(this.#known + 1, Math.floor(Date.now() / 1000) - EPOCH_S);
    // The slowest tier first: the faster ones then store the number that is valid for all instances.
    for (const { name, generation } of this.#shared.toReversed()) {
      try {
        next = await generation.raise(next, 1);
      } catch {
        failed.push(name);
      }
    }
    this.#learn(next);
    return failed;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #poll(): void {
    if (this.#timer || this.#closed || this.#shared.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (performance.now() - this.#usedAt < IDLE_MS) void this.#read().then(() => this.#poll());
      },
      this.#failing ? RETRY_MS : POLL_MS,
    ).unref();
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const startedAt = performance.now();
    const results = await Promise.allSettled(
      this.#shared.map(async (tier) => ({ tier, stored: await tier.generation.read() })),
    );
    const stored = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    // A tier that failed counts as read too: questions must not wait for it one after another.
    this.#readAt = startedAt;
    this.#failing = stored.length < results.length;
    this.#learn(Math.max(...stored.map((each) => each.stored), this.#known));
    for (const each of stored) if (each.stored < this.#known) void this.#catchUp(each.tier);
  }

  #learn(generation: number): void {
    if (generation <= this.#known) return;
    this.#known = generation;
    this.#onRaised();
  }

  /** Tells a tier that missed a clearing, or lost its data, of the generation. Its answers are of an earlier one. */
  async #catchUp(tier: SharedTier): Promise<void> {
    try {
      await tier.generation.raise(this.#known, 0);
      await tier.clear();
    } catch {
      // The next read tries again. Answers that remain are never found, and expire.
    }
  }
}

/** Outside the namespace of the answers, so that clearing keeps it. */
const KEY = 'answers-generation';

/** Atomic, because instances may clear at the same time. A value that is no generation counts as 0 and is replaced. */
const RAISE = `
local reply = redis.pcall('GET', KEYS[1])
local stored = 0
if type(reply) == 'string' and string.match(reply, '^%d+$') then stored = tonumber(reply) end
if stored > ${MAX_GENERATION} then stored = 0 end
local raised = math.max(tonumber(ARGV[1]), stored + tonumber(ARGV[2]))
if raised > stored then redis.call('SET', KEYS[1], string.format('%d', raised)) end
return raised`;

/** Creates the store of the generation. `use` runs an operation on the connection. */
export function createRedisGeneration(use: UseRedis): GenerationStore {
  return {
    async read() {
      const stored = await use((client) => client.get(KEY));
      const generation = typeof stored === 'string' && /^\d+$/.test(stored) ? Number(stored) : 0;
      return generation > MAX_GENERATION ? 0 : generation;
    },
    async raise(atLeast, step) {
      const options = { keys: [KEY], arguments: [String(atLeast), String(step)] };
      return Number(await use((client) => client.eval(RAISE, options)));
    },
  };
}
