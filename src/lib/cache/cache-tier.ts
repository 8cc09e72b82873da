/** What is cached: answers, their keys, the interface of the tiers that keep them, and the fastest tier: memory. */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config/config.ts';
import { digest } from '../history/session-rows.ts';
import type { Message, ModelTarget, TokenUsage } from '../model/completion.ts';

/** A complete answer of the model. Times in milliseconds since 1970. */
export interface CachedAnswer {
  text: string;
  /** Name and version of the model that answered; absent when it gave none. */
  model?: string | undefined;
  /** Index of the endpoint that answered, in the settings: 0 is the primary one. */
  endpoint: number;
  tokens: TokenUsage;
  storedAt: number;
  expiresAt: number;
  /** Later than `expiresAt`: until then the expired answer may take the place of one that the model does not give. */
  keptUntil?: number | undefined;
}

/**
 * How long an answer is still kept, in milliseconds. The caller must not store it at 0, which stores take as "forever".
 */
export const lifetimeOf = ({ expiresAt, keptUntil = expiresAt }: CachedAnswer): number =>
  Math.max(0, keptUntil - Date.now());

/** The age of an answer in milliseconds. The clock of the instance that stored it may be ahead. */
export const ageOf = ({ storedAt }: CachedAnswer): number => Math.max(0, Date.now() - storedAt);

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

/** The exclusive right to ask a question, until it is released or its holder dies. */
export interface Lease {
  /** Never rejects. */
  release(): Promise<void>;
}

/** The leases of model calls in a tier that all instances share. */
export interface CallLeases {
  /** False for a while after the tier was too slow. */
  isUsable(): boolean;
  /** Takes the lease of a key. `unavailable`: the tier fails or is too slow. Never rejects, and takes 100 ms at most. */
  take(key: string): Promise<Lease | 'held' | 'unavailable'>;
  /** Whether the lease of a key is held. Rejects when the tier fails. */
  isHeld(key: string): Promise<boolean>;
}

/** Stores answers by key, at least as long as they have to be kept. Every method rejects when the tier fails. */
export interface CacheTier {
  readonly name: TierName;
  /** Present in the tiers that processes share. */
  readonly generation?: GenerationStore;
  /** Present in the tier that all instances share. */
  readonly leases?: CallLeases;
  /** The answer may have expired. */
  get(key: string): Promise<CachedAnswer | undefined>;
  set(key: string, answer: CachedAnswer): Promise<void>;
  /** Deletes all answers, or those whose keys begin with `prefix`; their bytes too, as far as the store allows it. */
  clear(prefix?: string): Promise<void>;
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
      return answers.get(key);
    },
    async set(key, answer) {
      answers.set(key, answer);
    },
    async clear(prefix = '') {
      for (const key of answers.keys()) if (key.startsWith(prefix)) answers.delete(key);
    },
    async close() {},
  };
}

interface Queued {
  write: () => Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long writes may run before they yield to the event loop. */
const SLICE_MS = 2;

/** Carries out writes one at a time, and refuses a write while `capacity` others are waiting. */
export class WriteQueue {
  readonly #capacity: number;
  readonly #waiting: Queued[] = [];
  #running = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when `write` has been carried out. @throws the error of `write`, or Error when the queue is full. */
  add(write: () => Promise<void>): Promise<void> {
    if (this.#waiting.length >= this.#capacity) return Promise.reject(new Error('the write queue is full'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    let sliceEndsAt = 0;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      // Yielding lets pending requests go first. One write for each turn of the event loop would be too slow: a busy
      // process produces more answers than it has turns.
      if (performance.now() >= sliceEndsAt) {
        await new Promise(setImmediate);
        sliceEndsAt = performance.now() + SLICE_MS;
      }
      await next.write().then(next.resolve, next.reject);
    }
    this.#running = false;
  }
}

/** Part of every key: increase it when the layout of a cached answer or of the key changes. */
const FORMAT = 6;
/** What every key begins with. */
export const KEY_PREFIX = `answer:${FORMAT}:`;

/** A user, and the generation of the user's answers when the question came. */
export interface UserPartition {
  userId: string;
  generation: number;
}

/**
 * What the keys of a user's answers have after {@link KEY_PREFIX}, so that an erasure finds them; without a generation, those
 * of all generations.
 */
export const partitionName = ({
  userId,
  generation,
}: Pick<UserPartition, 'userId'> & { generation?: number }): string =>
  `${digest(userId)}:${generation === undefined ? '' : `${generation}:`}`;

/** Which questions may share a cached answer, beyond what the model receives. */
export interface CacheScope {
  /** The generation of the cache when the question arrived. */
  generation: number;
  /** The user, when users do not share cached answers; otherwise null. */
  partition: UserPartition | null;
}

/**
 * Gives the key of an answer: a digest of everything that the answer depends on. Two questions share a key only if the
 * model would receive the same request for both, and if their scope is the same.
 */
export function answerCacheKey(
  config: Config,
  { deployment, parameters }: ModelTarget,
  prompt: readonly Message[],
  { generation, partition }: CacheScope,
): string {
  const { endpoints, apiVersion, modelApi, headers } = config.model;
  const { promptCacheKey: _, ...sent } = parameters;
  // Endpoints with the same deployment give equal answers, so the endpoint that answered is no part of the key.
  const [{ url, api }] = endpoints;
  const parts = [
    config.cache.version,
    generation,
    partition?.userId ?? null,
    [modelApi, api, url, apiVersion, deployment],
    // A gateway may choose the model by its headers.
    Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    Object.entries(sent).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    prompt,
  ];
  return (
    KEY_PREFIX +
    (partition ? partitionName(partition) : '') +
    hash('sha256', JSON.stringify(parts), 'base64url')
  );
}
