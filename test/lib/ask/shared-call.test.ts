/** One model call for identical questions on several instances, and what happens when Redis or the asking one fails. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Redis, startRedis } from '../../../dev/stack/redis.ts';
import { startTcpProxy } from '../../../dev/stack/tcp-proxy.ts';
import { takeTurn, type Turn } from '../../../src/lib/ask/shared-call.ts';
import { type AnswerCache, createAnswerCache } from '../../../src/lib/cache/answer-cache.ts';
import { type CallLeases, createMemoryTier } from '../../../src/lib/cache/cache-tier.ts';
import { createRedisTier } from '../../../src/lib/cache/redis-tier.ts';
import { PendingWork } from '../../../src/lib/common/pending-work.ts';
import { eventually } from '../../support/app.ts';
import { PATIENT } from '../../support/identity-redis.ts';

const given = {
  text: 'answer',
  endpoint: 0,
  tokens: { prompt: 3, completion: 2, cached: 0, cacheWrite: 0, reasoning: 0 },
};
const KEY = 'k';
const LEASE = `answers-lease:${KEY}`;

let redis: Redis;
/** Model calls so far. */
let calls: number;
const opened: AnswerCache[] = [];
beforeEach(async () => {
  redis = await startRedis();
  calls = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  await redis.kill();
});

/** The cache of an instance that is connected to Redis. */
async function open(url = redis.url, limits?: typeof PATIENT): Promise<AnswerCache> {
  const tiers = [createMemoryTier(1_000_000), createRedisTier({ url }, () => {}, limits)];
  const cache = createAnswerCache(
    tiers,
    { ttlMs: 60_000, staleIfErrorMs: 0 },
    {
      work: new PendingWork(),
      warn() {},
      modelOf: () => undefined,
    },
  );
  opened.push(cache);
  await eventually(async () => (await cache.lookUp('none')).result === 'miss');
  return cache;
}
const openAll = (count: number): Promise<AnswerCache[]> =>
  Promise.all(Array.from({ length: count }, () => openPatient()));
/** An instance that waits for Redis as long as it takes on a busy machine. */
const openPatient = (): Promise<AnswerCache> => open(redis.url, PATIENT);

function leasesOf({ leases }: AnswerCache): CallLeases {
  if (!leases) throw new Error('the cache has no leases');
  return leases;
}
const turnOf = (cache: AnswerCache, signal = new AbortController().signal): Promise<Turn> =>
  takeTurn({ cache, leases: leasesOf(cache), key: KEY, waitMs: 20_000, signal });

/** Asks as an instance does. Gives where the answer came from. */
async function ask(cache: AnswerCache, model: () => Promise<unknown>): Promise<'own' | 'shared' | 'failed'> {
  const turn = await turnOf(cache);
  if (turn.answer) return 'shared';
  calls++;
  try {
    await model();
    await cache.store(KEY, given);
    return 'own';
  } catch {
    return 'failed';
  } finally {
    void turn.lease?.release();
  }
}
const exists = async (): Promise<boolean> => (await redis.command('EXISTS', LEASE)) === ':1\r\n';
const fail = (): Promise<never> => delay(100).then(() => Promise.reject(new Error('failed')));

describe('identical questions on several instances', { tags: ['redis'] }, () => {
  it('make one model call, and all get its answer', async () => {
    const results = await Promise.all((await openAll(4)).map((cache) => ask(cache, () => delay(400))));
    expect(results.toSorted()).toEqual(['own', 'shared', 'shared', 'shared']);
    expect(calls).toBe(1);
    await eventually(async () => !(await exists()));
  });

  it('do not ask again when the answer was stored since the first lookup', async () => {
    const [one, other] = [await openPatient(), await openPatient()];
    await one.store(KEY, given);
    expect(await turnOf(other)).toMatchObject({ answer: { text: 'answer' } });
    await eventually(async () => !(await exists()));
  });

  it('are asked by another instance when the one that asked failed', async () => {
    const [first, ...others] = await openAll(4);
    if (!first) throw new Error('no instance');
    const failing = ask(first, fail);
    await eventually(exists);
    const results = await Promise.all(others.map((cache) => ask(cache, () => delay(400))));
    expect(await failing).toBe('failed');
    expect(results.toSorted()).toEqual(['own', 'shared', 'shared']);
    expect(calls).toBe(2);
  });

  it('do not fail one after another: after two failures the others ask for themselves', async () => {
    const results = await Promise.all((await openAll(6)).map((cache) => ask(cache, fail)));
    expect(new Set(results)).toEqual(new Set(['failed']));
    expect(calls).toBe(6);
  });

  it('are asked by another instance when the lease expires', async () => {
    const [dead, other] = [await openPatient(), await openPatient()];
    const turn = await turnOf(dead);
    expect(turn).toMatchObject({ answer: null, lease: {} });
    // What remains of a dead holder: a lease that nobody renews.
    await dead.close();
    expect(await turnOf(other)).toMatchObject({ answer: null, lease: {} });
  });

  it('wait as long as the holder lives', { tags: ['long'] }, async () => {
    const [one, other] = [await openPatient(), await openPatient()];
    const asking = ask(one, () => delay(5000));
    await eventually(exists);
    expect(await ask(other, () => delay(0))).toBe('shared');
    expect([await asking, calls]).toEqual(['own', 1]);
  });

  it('stop waiting when the caller has left', async () => {
    const [one, other] = [await openPatient(), await openPatient()];
    await turnOf(one);
    const caller = new AbortController();
    const waiting = turnOf(other, caller.signal);
    caller.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
  });

  it('release only their own lease', async () => {
    const cache = await openPatient();
    const turn = await turnOf(cache);
    await redis.command('SET', LEASE, 'another', 'PX', '3000');
    if (turn.answer === null) await turn.lease?.release();
    expect(await redis.command('GET', LEASE)).toContain('another');
  });
});

describe('a question is asked without a lease', { tags: ['redis'] }, () => {
  const WITHOUT = { answer: null, lease: null };

  it('when Redis is killed while another instance has it', async () => {
    const [one, other] = [await open(), await open()];
    const asking = ask(one, () => delay(2000));
    await eventually(exists);
    const waiting = ask(other, () => delay(0));
    await delay(200);
    await redis.kill();
    expect(await waiting).toBe('own');
    expect([await asking, calls]).toEqual(['own', 2]);
  });

  it('when Redis hangs, also if another instance has it', { tags: ['posix'] }, async () => {
    const [one, other, third] = [await open(), await open(), await open()];
    await turnOf(one);
    const waiting = turnOf(other);
    await delay(200);
    redis.process.kill('SIGSTOP');
    expect(await waiting).toEqual(WITHOUT);
    expect(await turnOf(third)).toEqual(WITHOUT);
    // Redis is not asked again at once.
    expect(leasesOf(third).isUsable()).toBe(false);
    redis.process.kill('SIGCONT');
  });

  it('when Redis is slow, and the lease that comes late is released', async () => {
    const proxy = await startTcpProxy(redis.port, 100);
    const slow = await open(`redis://127.0.0.1:${proxy.port}`);
    expect(await turnOf(slow)).toEqual(WITHOUT);
    expect(leasesOf(slow).isUsable()).toBe(false);
    await eventually(exists);
    await eventually(async () => !(await exists()));
    await slow.close();
    await proxy.close();
  });

  it('when Redis is full', async () => {
    const cache = await open();
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await turnOf(cache)).toEqual(WITHOUT);
  });

  it('when Redis is not there', async () => {
    const cache = await open();
    await redis.kill();
    expect(await turnOf(cache)).toEqual(WITHOUT);
  });

  it.each([
    ['of another type', ['LPUSH', LEASE, 'x']],
    ['that never expires', ['SET', LEASE, 'x']],
    ['that expires too late', ['SET', LEASE, 'x', 'EX', '3600']],
  ])('when its key holds a value %s', async (_, command) => {
    const cache = await open();
    await redis.command(...command);
    expect(await turnOf(cache)).toEqual(WITHOUT);
  });
});
