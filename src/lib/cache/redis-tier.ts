/** The cache tier in Redis, shared by all instances. It fails fast while Redis does not answer. */
import KeyvRedis, { createClient } from '@keyv/redis';
import { Keyv } from 'keyv';
import { type CachedAnswer, type CacheTier, type CallLeases, lifetimeOf } from './cache-tier.ts';
import { type RedisClient, RedisSignIn, type UseRedis } from './redis-sign-in.ts';
import { createRedisGeneration } from './generation.ts';
import { createRedisLeases } from './redis-leases.ts';
import type { RedisConfig } from '../config/config.ts';
import { PendingWork, startTimeLimit } from '../common/pending-work.ts';

/** How long a question waits for Redis, in milliseconds: at most for an operation, and at most for a lease. */
const LIMITS = { answerMs: 300, takeMs: 100 };
const CONNECT_MS = 5000;
/** Delay before the first reconnection; it doubles with each attempt, up to the maximum, with jitter. */
const RECONNECT_MS = 100;
const MAX_RECONNECT_MS = 5000;
/** Longer than other operations, because clearing iterates over all keys. */
const CLEAR_MS = 10_000;
/** Keys that Redis examines for each command of a search. */
const SCAN_COUNT = 1000;
const NAMESPACE = 'answers';
const CHECK = 'Check ANSWER_CACHE_REDIS_URL.';
const UNREACHABLE = `it cannot be reached. ${CHECK}`;

interface Connection {
  client: RedisClient;
  store: KeyvRedis<CachedAnswer>;
  keyv: Keyv<CachedAnswer>;
}

/**
 * Connects to Redis in the background, and reconnects when the connection is lost or does not answer. `warn` is called
 * once when Redis becomes unusable, and once when it is usable again. Tests of something else than its speed give limits
 * that hold on a busy machine.
 */
export function createRedisTier(
  config: RedisConfig,
  warn: (message: string) => void,
  limits = LIMITS,
): CacheTier {
  return new RedisTier(config, warn, limits);
}

class RedisTier implements CacheTier {
  readonly name = 'redis';
  readonly #run: UseRedis = (operation) => this.#use(this.#answerMs, ({ client }) => operation(client));
  readonly generation = createRedisGeneration(this.#run);
  readonly leases: CallLeases;
  readonly #answerMs: number;
  readonly #config: RedisConfig;
  readonly #warn: (message: string) => void;
  readonly #writes = new PendingWork();
  #connection: Connection;
  #failing = false;
  #closed = false;

  constructor(config: RedisConfig, warn: (message: string) => void, { answerMs, takeMs }: typeof LIMITS) {
    this.#answerMs = answerMs;
    this.leases = createRedisLeases(this.#run, takeMs);
    this.#config = config;
    this.#warn = warn;
    this.#connection = this.#connect();
  }

  get(key: string): Promise<CachedAnswer | undefined> {
    return this.#use(this.#answerMs, ({ keyv }) => keyv.get(key));
  }

  async set(key: string, answer: CachedAnswer): Promise<void> {
    const lifetime = lifetimeOf(answer);
    if (lifetime === 0) return;
    await this.#writes.add(this.#use(this.#answerMs, ({ keyv }) => keyv.set(key, answer, lifetime)));
  }

  async clear(prefix = ''): Promise<void> {
    // Pending writes must be cleared too.
    await this.#writes.drain(this.#answerMs);
    if (prefix !== '') return this.#use(CLEAR_MS, (connection) => clearSome(connection, prefix));
    await this.#use(CLEAR_MS, async ({ keyv, store }) => {
      // The store emits errors of `clear` instead of throwing them.
      const failed = Promise.withResolvers<never>();
      store.once('error', failed.reject);
      await Promise.race([keyv.clear(), failed.promise]);
      store.off('error', failed.reject);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connection.client.destroy();
  }

  #connect(): Connection {
    const { url, identity } = this.#config;
    // Refused while connected: the new connection reports it, and is used when the identity is accepted again.
    const signIn = identity && new RedisSignIn(identity, (why) => this.#replace(connection, why));
    const client = createClient({
      url,
      ...(signIn && { credentialsProvider: signIn }),
      // Commands fail at once while there is no connection.
      disableOfflineQueue: true,
      socket: { connectTimeout: CONNECT_MS, reconnectStrategy },
    }) as RedisClient;
    client.on('error', (error) => this.#fail(signIn?.explain(error) ?? UNREACHABLE));
    client.on('ready', () => this.#recover());
    const store = new KeyvRedis<CachedAnswer>(client, { throwOnErrors: true });
    const keyv = new Keyv<CachedAnswer>({ store, namespace: NAMESPACE });
    // Keyv would re-emit errors between operations as uncaught ones. Without its listener, it rejects the operation
    // that failed.
    store.removeAllListeners('error');
    // Rejects only when the client is destroyed: until then the reconnection strategy retries.
    client.connect().catch(() => {});
    const connection = { client, store, keyv };
    return connection;
  }

  async #use<T>(timeoutMs: number, operation: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    if (!connection.client.isReady) throw new Error('Redis is not connected');
    const timeout = Promise.withResolvers<never>();
    const end = startTimeLimit(timeoutMs, () => {
      timeout.reject(new Error(`Redis did not answer within ${timeoutMs} ms`));
      this.#replace(connection, `it does not answer. ${CHECK}`);
    });
    try {
      return await Promise.race([operation(connection), timeout.promise]);
    } finally {
      end();
    }
  }

  /** Replaces a connection that is of no use. The new one becomes ready only when Redis answers on it. */
  #replace(useless: Connection, why: string): void {
    if (this.#closed || useless !== this.#connection) return;
    this.#fail(why);
    useless.client.destroy();
    this.#connection = this.#connect();
  }

  #fail(why: string): void {
    if (!this.#failing && !this.#closed) this.#warn(`The Redis cache is not used for now: ${why}`);
    this.#failing = true;
  }

  #recover(): void {
    if (this.#failing) this.#warn('The Redis cache can be used again.');
    this.#failing = false;
  }
}

/** Deletes the answers whose keys begin with `prefix`, which has no special characters of patterns. */
async function clearSome({ client, store }: Connection, prefix: string): Promise<void> {
  const pattern = `${store.createKeyPrefix(prefix, NAMESPACE)}*`;
  for await (const keys of client.scanIterator({ MATCH: pattern, COUNT: SCAN_COUNT })) {
    if (keys.length > 0) await client.unlink(keys);
  }
}

function reconnectStrategy(attempts: number): number {
  return Math.min(MAX_RECONNECT_MS, RECONNECT_MS * 2 ** attempts) * (0.5 + Math.random() / 2);
}
