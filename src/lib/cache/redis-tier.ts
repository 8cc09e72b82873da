/** The cache tier in Redis, shared by all instances. It is left out while Redis does not answer. */
import KeyvRedis, { createClient } from '@keyv/redis';
import { Keyv } from 'keyv';
import { type CachedAnswer, type CacheTier, lifetimeOf } from './cache-tier.ts';
import { PendingWork } from '../runtime/pending-work.ts';

/** What a question may lose when Redis falls silent; DESIGN, "Faults". */
const ANSWER_MS = 300;
const CONNECT_MS = 5000;
/** Between attempts to connect: this, then twice as long each time, up to the longest; and a random part. */
const RECONNECT_MS = 100;
const LONGEST_RECONNECT_MS = 5000;
/** It walks through all keys. */
const CLEAR_MS = 10_000;
const NAMESPACE = 'answers';

type Client = ReturnType<typeof createClient>;

interface Connection {
  client: Client;
  store: KeyvRedis<CachedAnswer>;
  keyv: Keyv<CachedAnswer>;
}

/**
 * Connects to the Redis at `url` in the background, and again whenever the connection is lost or silent. `warn` is
 * told once when Redis cannot be used, and once when it can again.
 */
export function createRedisTier(url: string, warn: (message: string) => void): CacheTier {
  return new RedisTier(url, warn);
}

class RedisTier implements CacheTier {
  readonly name = 'redis';
  readonly #url: string;
  readonly #warn: (message: string) => void;
  readonly #writes = new PendingWork();
  #connection: Connection;
  #failing = false;
  #closed = false;

  constructor(url: string, warn: (message: string) => void) {
    this.#url = url;
    this.#warn = warn;
    this.#connection = this.#connect();
  }

  get(key: string): Promise<CachedAnswer | undefined> {
    return this.#use(ANSWER_MS, ({ keyv }) => keyv.get(key));
  }

  async set(key: string, answer: CachedAnswer): Promise<void> {
    const lifetime = lifetimeOf(answer);
    if (lifetime === 0) return;
    await this.#writes.add(this.#use(ANSWER_MS, ({ keyv }) => keyv.set(key, answer, lifetime)));
  }

  async clear(): Promise<void> {
    // What is being written is to be forgotten too.
    await this.#writes.drain(ANSWER_MS);
    await this.#use(CLEAR_MS, async ({ keyv, store }) => {
      // Its errors are only told, not thrown.
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
    const client = createClient({
      url: this.#url,
      // What cannot be sent at once fails at once.
      disableOfflineQueue: true,
      socket: { connectTimeout: CONNECT_MS, reconnectStrategy },
    }) as Client;
    client.on('error', () => this.#fail('it cannot be reached'));
    client.on('ready', () => this.#recover());
    const store = new KeyvRedis<CachedAnswer>(client, { throwOnErrors: true });
    const keyv = new Keyv<CachedAnswer>({ store, namespace: NAMESPACE });
    // Keyv would pass on what happens between operations, and throw it where nobody listens. Without a listener of its
    // own, it rejects the operation that failed, which tells us which one it was.
    store.removeAllListeners('error');
    // The strategy goes on trying; this rejects only when the client is destroyed.
    client.connect().catch(() => {});
    return { client, store, keyv };
  }

  async #use<T>(timeoutMs: number, operation: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    if (!connection.client.isReady) throw new Error('Redis is not connected');
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      silence.reject(new Error(`Redis did not answer within ${timeoutMs} ms`));
      this.#replace(connection);
    }, timeoutMs);
    try {
      return await Promise.race([operation(connection), silence.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nothing more is asked over a connection that fell silent; a new one is ready only when Redis answers on it. */
  #replace(silent: Connection): void {
    if (this.#closed || silent !== this.#connection) return;
    this.#fail('it does not answer');
    silent.client.destroy();
    this.#connection = this.#connect();
  }

  #fail(why: string): void {
    if (!this.#failing && !this.#closed) this.#warn(`The Redis cache is left out for now: ${why}.`);
    this.#failing = true;
  }

  #recover(): void {
    if (this.#failing) this.#warn('The Redis cache can be used again.');
    this.#failing = false;
  }
}

function reconnectStrategy(attempts: number): number {
  return Math.min(LONGEST_RECONNECT_MS, RECONNECT_MS * 2 ** attempts) * (0.5 + Math.random() / 2);
}
