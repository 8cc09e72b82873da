/** How clearing reaches the other processes: over the file that they share, and over Redis. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Redis, startRedis } from '../../../dev/stack/redis.ts';
import { startTcpProxy, type TcpProxy } from '../../../dev/stack/tcp-proxy.ts';
import { type AnswerCache, createAnswerCache } from '../../../src/lib/cache/answer-cache.ts';
import { createMemoryTier } from '../../../src/lib/cache/cache-tier.ts';
import { createRedisTier } from '../../../src/lib/cache/redis-tier.ts';
import { createSqliteTier } from '../../../src/lib/cache/sqlite-tier.ts';
import { PendingWork } from '../../../src/lib/common/pending-work.ts';
import { eventually } from '../../support/app.ts';

const MEGABYTE = 1024 * 1024;
const given = {
  text: 'answer',
  endpoint: 0,
  tokens: { prompt: 3, completion: 2, cached: 0, cacheWrite: 0, reasoning: 0 },
};
const KEY = 'answers-generation';

let folder: string;
let work: PendingWork;
const opened: AnswerCache[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-generation-'));
  work = new PendingWork();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (name: string): string => join(folder, `${name}.sqlite`);

/** Opens the cache of a process: with its own memory, the file `name`, and Redis if there is a `url`. */
function open(name: string, url?: string): AnswerCache {
  const tiers = [createMemoryTier(MEGABYTE), createSqliteTier(fileOf(name), 16 * MEGABYTE, () => {})];
  if (url !== undefined) tiers.push(createRedisTier({ url }, () => {}));
  const cache = createAnswerCache(
    tiers,
    { ttlMs: 60_000, staleIfErrorMs: 0 },
    { work, warn() {}, modelOf: () => undefined },
  );
  opened.push(cache);
  return cache;
}

const keyOf = async (cache: AnswerCache, name = 'k'): Promise<string> =>
  `${name}:${await cache.generation()}`;
async function store(cache: AnswerCache): Promise<void> {
  await cache.store(await keyOf(cache), given);
}
const resultOf = async (cache: AnswerCache): Promise<string> =>
  (await cache.lookUp(await keyOf(cache))).result;
const rowsIn = (name: string): unknown => {
  const database = new DatabaseSync(fileOf(name), { readOnly: true });
  try {
    return database.prepare('SELECT count(*) AS count FROM keyv').get()?.['count'];
  } finally {
    database.close();
  }
};

const usesRedis = (cache: AnswerCache): Promise<void> =>
  eventually(async () => (await cache.lookUp('none')).result === 'miss');

describe('processes that share a file', () => {
  it('all lose their answers, also those in memory, when one is cleared', async () => {
    const [one, other] = [open('shared'), open('shared')];
    await store(one);
    expect(await resultOf(other)).toBe('hit');
    expect(await other.lookUp(await keyOf(other))).toMatchObject({ tier: 'memory' });
    expect(await one.clear()).toEqual([]);
    expect(await resultOf(one)).toBe('miss');
    await eventually(async () => (await resultOf(other)) === 'miss');
    await store(other);
    expect(await resultOf(one)).toBe('hit');
  });

  it('do not find the answer of a call that began before the clearing', async () => {
    const cache = open('shared');
    const key = await keyOf(cache);
    await cache.clear();
    await cache.store(key, given);
    expect(await resultOf(cache)).toBe('miss');
  });

  it('keep the generation when they start again', async () => {
    const before = open('shared');
    await before.clear();
    const generation = await before.generation();
    await before.close();
    expect(await open('shared').generation()).toBe(generation);
  });

  it('begin a higher generation with each clearing, also at the same time', async () => {
    const [one, other] = [open('shared'), open('shared')];
    const seen = [await one.generation()];
    for (let count = 0; count < 3; count++) {
      await Promise.all([one.clear(), other.clear()]);
      seen.push(await one.generation());
    }
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
    expect(seen[0]).toBe(0);
  });
});

describe('instances that share a Redis', { tags: ['redis'] }, () => {
  let redis: Redis;
  let proxy: TcpProxy;
  beforeEach(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
  });
  afterEach(async () => {
    await proxy.close();
    await redis.kill();
  });
  const stored = (): Promise<string> => redis.command('GET', KEY);
  /** Two instances that have the same answer, the second behind the proxy. */
  async function openBoth(): Promise<[AnswerCache, AnswerCache]> {
    const [one, other] = [open('one', redis.url), open('other', `redis://127.0.0.1:${proxy.port}`)];
    await Promise.all([usesRedis(one), usesRedis(other)]);
    await store(one);
    expect(await resultOf(other)).toBe('hit');
    await work.drain(1000);
    return [one, other];
  }

  it('all lose their answers when one is cleared', async () => {
    const [one, other] = await openBoth();
    expect(rowsIn('other')).toBe(1);
    expect(await one.clear()).toEqual([]);
    await eventually(async () => (await resultOf(other)) === 'miss');
    await eventually(() => rowsIn('other') === 0);
    await store(other);
    expect(await resultOf(one)).toBe('hit');
  });

  it('lose them after a connection that was silent during the clearing was replaced', async () => {
    const [one, other] = await openBoth();
    proxy.silence();
    await one.clear();
    await eventually(async () => (await resultOf(other)) === 'miss');
    expect(proxy.connections).toBe(2);
  });

  it('lose them when Redis is back, if it was gone during the clearing', async () => {
    const [one, other] = await openBoth();
    await redis.kill();
    expect(await one.clear()).toEqual(['redis']);
    expect(await resultOf(one)).toBe('error');
    expect(await resultOf(other)).toBe('hit');
    redis = await startRedis(redis.port);
    await eventually(async () => {
      await one.generation();
      return (await resultOf(other)) === 'miss';
    }, 20_000);
  });

  it('keep their answers when Redis loses its data', async () => {
    const [one, other] = await openBoth();
    await one.clear();
    const generation = await one.generation();
    await eventually(async () => (await other.generation()) === generation);
    await store(other);
    await redis.command('FLUSHALL');
    await eventually(async () => {
      await one.generation();
      return (await stored()).includes(String(generation));
    });
    expect(await other.generation()).toBe(generation);
    expect(await resultOf(other)).toBe('hit');
  });

  it.each([
    ['of another type', ['LPUSH', KEY, 'x']],
    ['that is no number', ['SET', KEY, 'x']],
    ['that is too large', ['SET', KEY, '99999999999999']],
  ])('are cleared also when the key holds a value %s', async (_, command) => {
    const [one, other] = await openBoth();
    await redis.command(...command);
    expect(await one.clear()).toEqual([]);
    await eventually(async () => (await resultOf(other)) === 'miss');
    expect(await stored()).toContain(String(await one.generation()));
  });
});
