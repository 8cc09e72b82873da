/**
 * The leases of model calls in Redis: with them, identical questions on all instances make one model call. Rejected: a
 * heartbeat of each process instead of renewals, a second key that has to agree with the lease.
 */
import { randomUUID } from 'node:crypto';
import { startTimeLimit } from '../common/pending-work.ts';
import type { CallLeases, Lease } from './cache-tier.ts';
import type { UseRedis } from './redis-sign-in.ts';

/** A lease ends this long after its holder died. */
const LEASE_MS = 3000;
const RENEW_MS = 1000;
/** After a lease that took too long, none is requested for this time, so that few questions wait for a slow Redis. */
const SKIP_MS = 2000;

/** Outside the namespace of the answers. A lease needs no clearing, because its key contains the generation. */
const nameOf = (key: string): string => `answers-lease:${key}`;

/** Deletes a lease if it is still the holder's own. */
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/**
 * Creates the leases. `use` runs an operation on the connection. A question waits `takeMs` milliseconds for a lease; beyond
 * it the model is called without one.
 */
export function createRedisLeases(use: UseRedis, takeMs: number): CallLeases {
  let skippedUntil = -Infinity;

  const release = (name: string, token: string): Promise<unknown> =>
    use((client) => client.eval(RELEASE, { keys: [name], arguments: [token] })).catch(() => {});

  function hold(name: string, token: string): Lease {
    // Not compared with the token: after a pause, the lease may be another holder's, but both want the same answer.
    const renewal = setInterval(() => {
      void use((client) => client.pExpire(name, LEASE_MS)).catch(() => {});
    }, RENEW_MS).unref();
    return {
      async release() {
        clearInterval(renewal);
        await release(name, token);
      },
    };
  }

  return {
    isUsable: () => performance.now() >= skippedUntil,
    async take(key) {
      const [name, token] = [nameOf(key), randomUUID()];
      const expiration = { type: 'PX', value: LEASE_MS } as const;
      const taking = use((client) => client.set(name, token, { condition: 'NX', expiration })).then(
        (reply) => (reply === null ? 'held' : 'taken'),
        () => 'unavailable' as const,
      );
      const result = await within(takeMs, taking);
      if (result === 'taken') return hold(name, token);
      if (result !== 'late') return result;
      skippedUntil = performance.now() + SKIP_MS;
      // The caller asks without it. Others must not wait for a holder that does not know of its lease.
      void taking.then((late) => late === 'taken' && release(name, token));
      return 'unavailable';
    },
    async isHeld(key) {
      // A key without an expiry, or with a longer one, is no lease: waiting for its end would take too long.
      const leftMs = await use((client) => client.pTTL(nameOf(key)));
      return leftMs > 0 && leftMs <= LEASE_MS;
    },
  };
}

/** Gives the result of `work`, or `late` when it does not come in time. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | 'late'> {
  const late = Promise.withResolvers<'late'>();
  const end = startTimeLimit(timeoutMs, () => late.resolve('late'));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    end();
  }
}
