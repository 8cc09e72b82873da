/**
 * Signs in to a Redis of Azure with the identity of the app: the user is its object id, the password a token. A new
 * token is sent before it expires. Applies to addresses on Azure's hosts without user and key: a token must not reach
 * another host. Rejected: `@redis/entraid`, 326 KB more for what the app's credential can do; a cluster client
 * (`OSSCluster` answers with `MOVED`), because the other clustering policies have one endpoint for all keys.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessToken } from '@azure/identity';
import type { IdentityConfig } from '../config/config.ts';
import { RENEW_INTERVAL_MS, renewalTimeOf } from '../common/identity.ts';
import type { createClient } from '@keyv/redis';

export type RedisClient = ReturnType<typeof createClient>;

/** Runs an operation on the connection. Rejects when there is none, or when the operation fails or takes too long. */
export type UseRedis = <T>(operation: (client: RedisClient) => Promise<T>) => Promise<T>;

/** learn.microsoft.com/azure/redis/entra-for-authentication; the same in all clouds. */
const SCOPE = 'https://redis.azure.com/.default';
const MIN_RETRY_MS = 1000;
/** How the errors of Redis begin when it does not accept a user or a password. */
const REFUSED = /\b(WRONGPASS|NOAUTH|NOPERM)\b/;

type Provider = Extract<
  NonNullable<NonNullable<Parameters<typeof createClient>[0]>['credentialsProvider']>,
  { type: 'streaming-credentials-provider' }
>;
type Listener = Parameters<Provider['subscribe']>[0];
interface Credentials {
  username: string;
  password: string;
}

/** Gives the Redis client a token for each connection, and new tokens for the connection that stands. */
export class RedisSignIn implements Provider {
  readonly type = 'streaming-credentials-provider';
  readonly #config: IdentityConfig;
  readonly #onRefused: (why: string) => void;
  #objectId = 'unknown';
  #subscription = new AbortController();

  /** `onRefused` is called when Redis refuses a new token of a connection that stands. */
  constructor(config: IdentityConfig, onRefused: (why: string) => void) {
    this.#config = config;
    this.#onRefused = onRefused;
  }

  /** The client calls it for every connection, and does not end the subscription of the previous one. */
  async subscribe({ onNext }: Listener): Promise<[Credentials, Disposable & { dispose: () => void }]> {
    this.#subscription.abort();
    const subscription = new AbortController();
    this.#subscription = subscription;
    const token = await this.#fetchToken();
    this.#renew(token, onNext, subscription.signal).catch(() => {});
    const dispose = (): void => subscription.abort();
    return [this.#credentialsOf(token), { dispose, [Symbol.dispose]: dispose }];
  }

  /** Redis answered an AUTH on a standing connection with an error; or that connection was lost meanwhile. */
  onReAuthenticationError(error: Error): void {
    const why = this.explain(error);
    if (why !== undefined) this.#onRefused(why);
  }

  /** Says what to check after a failed sign-in; undefined when `error` has another cause. */
  explain(error: unknown): string | undefined {
    if (!(error instanceof Error)) return undefined;
    if (error.name === 'IdentityError') {
      const { code } = error as Error & { code?: string };
      return `the identity of the app gets no token (${code}). Check AZURE_CLIENT_ID, or set a key in ANSWER_CACHE_REDIS_URL.`;
    }
    if (!REFUSED.test(error.message)) return undefined;
    return `it refuses the identity of the app (object id ${this.#objectId}). Assign an access policy of the cache to this identity.`;
  }

  /** Renews until `signal` aborts. A failure is not reported here: the token is still valid, or Redis disconnects. */
  async #renew(first: AccessToken, onNext: Listener['onNext'], signal: AbortSignal): Promise<void> {
    let current = first;
    for (;;) {
      await delay(renewalDelay(current), undefined, { signal, ref: false });
      const next = await this.#fetchToken().catch(() => current);
      if (signal.aborted) return;
      // The identity service may have returned the old token again.
      if (next.token !== current.token) onNext(this.#credentialsOf(next));
      current = next;
    }
  }

  async #fetchToken(): Promise<AccessToken> {
    // Loaded on demand, because the library is large and a Redis with a key does not need it.
    const { createIdentity, IdentityError } = await import('../common/identity.ts');
    const token = await createIdentity(this.#config).getToken(SCOPE);
    if (token === null) throw new IdentityError(false, new Error('the identity has no token'));
    return token;
  }

  #credentialsOf({ token }: AccessToken): Credentials {
    this.#objectId = objectIdOf(token);
    return { username: this.#objectId, password: token };
  }
}

/** Never later than the expiry. Short tokens, and tokens whose renewal failed, are renewed in half of what is left. */
function renewalDelay(token: AccessToken): number {
  const now = Date.now();
  const planned = renewalTimeOf(token) - now;
  const left = token.expiresOnTimestamp - now;
  const soon = left > 0 ? Math.min(RENEW_INTERVAL_MS, Math.max(MIN_RETRY_MS, left / 2)) : RENEW_INTERVAL_MS;
  return Math.max(planned, soon);
}

/** Reads the claim `oid`, the object id of the identity. The token is not checked: Redis does that. */
function objectIdOf(token: string): string {
  const [, payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { oid?: string };
  return claims.oid ?? 'unknown';
}
