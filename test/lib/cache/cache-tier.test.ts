/** The contract of all cache tiers, and the behaviour of each when its store fails. */
import { execFile } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startNode } from '../../../dev/stack/child-process.ts';
import { startTcpProxy } from '../../../dev/stack/tcp-proxy.ts';
import { type CachedAnswer, type CacheTier, createMemoryTier } from '../../../src/lib/cache/cache-tier.ts';
import { createRedisTier } from '../../../src/lib/cache/redis-tier.ts';
import { createSqliteTier } from '../../../src/lib/cache/sqlite-tier.ts';
import { eventually } from '../../support/app.ts';
import { type Redis, startRedis } from '../../../dev/stack/redis.ts';
import { IdentityRedis, useIdentity, PATIENT } from '../../support/identity-redis.ts';

const MEGABYTE = 1024 * 1024;
const answer = (text: string, lifetimeMs = 60_000): CachedAnswer => ({
  text,
  endpoint: 0,
  tokens: { prompt: 3, completion: 2, cached: 0, cacheWrite: 0, reasoning: 0 },
  storedAt: Date.now(),
  expiresAt: Date.now() + lifetimeMs,
});

let folder: string;
let path: string;
let warnings: string[];
const open: CacheTier[] = [];
const warn = (message: string): void => void warnings.push(message);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-cache-'));
  path = join(folder, 'answers.sqlite');
  warnings = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((tier) => tier.close()));
  rmSync(folder, { recursive: true, force: true });
});
const opened = (tier: CacheTier): CacheTier => {
  open.push(tier);
  return tier;
};
const sqlite = (maxBytes = 16 * MEGABYTE, file = path): CacheTier =>
  opened(createSqliteTier(file, maxBytes, warn));
const finds = (tier: CacheTier, key: string): Promise<boolean> => tier.get(key).then(Boolean, () => false);

/** The first column of the first row of a query on the file. */
function inFile(sql: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Object.values(database.prepare(sql).get() ?? {})[0];
  } finally {
    database.close();
  }
}

/** The bytes of the file and of its write-ahead log. */
const bytesOfFiles = (): string =>
  ['', '-wal'].map((suffix) => readFileSync(path + suffix).toString('latin1')).join();

/** Overwrites all pages but the first. */
function overwrite(): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 8192);
  writeFileSync(path, bytes);
}

/** Resolves to whether the promise is fulfilled. */
const isFulfilled = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );
/** Resolves to whether the tier can write and read. */
const works = async (tier: CacheTier): Promise<boolean> =>
  (await isFulfilled(tier.set('new', answer('new')))) && finds(tier, 'new');

/** A tier that is connected to its Redis. */
async function connected(url: string): Promise<CacheTier> {
  const tier = opened(createRedisTier({ url }, warn));
  await eventually(() => isFulfilled(tier.set('k', answer('a'))));
  return tier;
}

describe('the tier in memory', () => keepsTheContract(() => createMemoryTier(MEGABYTE)));
describe('the tier in SQLite', () => {
  keepsTheContract(() => createSqliteTier(path, 16 * MEGABYTE, warn));
  dropsExpiredAnswers(() => createSqliteTier(path, 16 * MEGABYTE, warn));
});
describe('the tier in Redis', { tags: ['redis'] }, () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.kill());
  beforeEach(() => redis.command('FLUSHALL'));
  const create = () => createRedisTier({ url: redis.url }, warn, PATIENT);
  keepsTheContract(create);
  dropsExpiredAnswers(create);
});
describe('the tier in Redis that accepts only the identity of the app', { tags: ['redis', 'long'] }, () => {
  let azure: IdentityRedis;
  beforeAll(async () => {
    azure = await IdentityRedis.start(await useIdentity());
    await azure.allow(3600);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await azure.redis.kill();
  });
  beforeEach(() => azure.redis.command('FLUSHALL'));
  const identity = { clientId: undefined, authorityHost: 'https://login.invalid', timeoutMs: 10_000 };
  keepsTheContract(() => createRedisTier({ url: azure.redis.url, identity }, warn, PATIENT));
});

/** What all tiers have in common. */
function keepsTheContract(create: () => CacheTier): void {
  let tier: CacheTier;
  beforeEach(async () => {
    tier = opened(create());
    await eventually(() => works(tier));
  });

  it('returns exactly what was stored', async () => {
    for (const text of ['', 'a\u0000💥\n"\\', 'é\u0065\u0301', 'x'.repeat(200_000)]) {
      const stored = answer(text);
      await tier.set('k', stored);
      expect(await tier.get('k')).toEqual(stored);
    }
    expect(await tier.get('other')).toBeUndefined();
  });

  it('keeps an expired answer as long as it is wanted', async () => {
    const expired = { ...answer('expired', 0), keptUntil: Date.now() + 60_000 };
    await tier.set('k', expired);
    expect(await tier.get('k')).toEqual(expired);
  });

  it('can be cleared of the answers whose keys begin with a text', async () => {
    const keys = ['answer:6:ann:1:h', 'answer:6:ann:2:h', 'answer:6:anne:1:h', 'answer:6:h'];
    for (const key of keys) await vi.waitFor(() => tier.set(key, answer('a')), 10_000);
    await vi.waitFor(() => tier.clear('answer:6:ann:'), 10_000);
    const found = await vi.waitFor(() => Promise.all(keys.map((key) => tier.get(key))), 10_000);
    expect(found.map(Boolean)).toEqual([false, false, true, true]);
  });

  it('is empty after it was cleared, also of pending writes', async () => {
    await Promise.all(
      Array.from({ length: 1200 }, (_, index) => tier.set(`k${index}`, answer('a')).catch(() => {})),
    );
    // On a busy machine, Redis may take longer than the tier waits for it. It then refuses to clear, and reconnects.
    await vi.waitFor(async () => {
      const writing = Array.from({ length: 50 }, (_, index) =>
        isFulfilled(tier.set(`w${index}`, answer('a'))),
      );
      await tier.clear();
      await Promise.all(writing);
    }, 10_000);
    for (const key of ['k0', 'k999', 'w0', 'w49']) {
      expect(await vi.waitFor(() => tier.get(key), 10_000)).toBeUndefined();
    }
    await vi.waitFor(() => tier.set('k0', answer('new')), 10_000);
    expect(await vi.waitFor(() => tier.get('k0'), 10_000)).toMatchObject({ text: 'new' });
  });
}

/** What the tiers have in common that free room as soon as they can. */
function dropsExpiredAnswers(create: () => CacheTier): void {
  let tier: CacheTier;
  beforeEach(async () => {
    tier = opened(create());
    await eventually(() => works(tier));
  });

  it('drops an answer when it is no longer kept', async () => {
    await tier.set('k', answer('short-lived', 500));
    const lasting = { ...answer('expired', 0), keptUntil: Date.now() + 500 };
    await tier.set('l', lasting);
    expect(await tier.get('k')).toBeDefined();
    expect(await tier.get('l')).toBeDefined();
    await delay(510);
    expect(await tier.get('k')).toBeUndefined();
    expect(await tier.get('l')).toBeUndefined();
  });

  it('does not store an expired answer', async () => {
    await tier.set('k', answer('late', 0));
    expect(await tier.get('k')).toBeUndefined();
  });
}

describe('memory', () => {
  it('stays within its bound, and keeps the most recently used answers', async () => {
    const tier = createMemoryTier(MEGABYTE);
    for (let index = 0; index < 100; index++) await tier.set(`k${index}`, answer('x'.repeat(50_000)));
    const found = await Promise.all(Array.from({ length: 100 }, (_, index) => finds(tier, `k${index}`)));
    expect(found.filter(Boolean)).toHaveLength(10);
    expect(found.slice(90).every(Boolean)).toBe(true);
  });
});

describe('the SQLite file', () => {
  it('has the settings that keep it fast', async () => {
    await sqlite().set('k', answer('a'));
    expect([inFile('PRAGMA page_size'), inFile('PRAGMA journal_mode')]).toEqual([8192, 'wal']);
  });

  it('has no byte of an answer that was cleared, in any of its files', async () => {
    const tier = sqlite();
    // In a page with others, and in pages of its own.
    for (const [key, length] of [
      ['a:1', 1000],
      ['a:2', 30_000],
      ['b:1', 1000],
    ] as const)
      await tier.set(key, answer(`text of ${key} `.repeat(length / 10)));
    // Replaced: the pages of the first text are free.
    await tier.set('a:2', answer('short text of a:2'));
    expect(bytesOfFiles()).toMatch(/text of a/);
    await tier.clear('a:');
    expect(bytesOfFiles()).not.toMatch(/text of a/);
    expect(bytesOfFiles()).toMatch(/text of b/);
  });

  it('stays within its bound: the newest answers replace the oldest', async () => {
    const tier = sqlite(MEGABYTE);
    for (let index = 0; index < 400; index++) {
      await tier.set(`k${index}`, answer('x'.repeat(10_000), 60_000 + index));
    }
    expect(statSync(path).size).toBeLessThanOrEqual(MEGABYTE);
    expect(await finds(tier, 'k399')).toBe(true);
    expect(await finds(tier, 'k350')).toBe(true);
    expect(await finds(tier, 'k0')).toBe(false);
    expect(warnings).toEqual([]);
  });

  it('is recreated when it is larger than its bound', async () => {
    const large = sqlite(4 * MEGABYTE);
    for (let index = 0; index < 20; index++) await large.set(`k${index}`, answer('x'.repeat(100_000)));
    await large.close();
    const small = sqlite(MEGABYTE);
    await small.set('k', answer('a'));
    expect(statSync(path).size).toBeLessThanOrEqual(MEGABYTE);
    expect(await finds(small, 'k')).toBe(true);
  });

  it('is recreated after a restart of the machine', async () => {
    const before = sqlite();
    await before.set('k', answer('a'));
    await before.close();
    const again = sqlite();
    expect(await finds(again, 'k')).toBe(true);
    await again.close();
    const longAgo = new Date(Date.now() - 1000 * uptime() - 60_000);
    utimesSync(path, longAgo, longAgo);
    const after = sqlite();
    expect(await finds(after, 'k')).toBe(false);
    expect(await works(after)).toBe(true);
  });

  it('can be opened, written and read by several processes at once', async () => {
    const script = join(import.meta.dirname, '../../support/sqlite-tier-child.ts');
    const children = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        const child = startNode([script, path, name, '250'], { ipc: true, output: 'inherit' });
        const failed = await child.message();
        await child.ended;
        return failed;
      }),
    );
    expect(children).toEqual([0, 0, 0, 0]);
    const tier = sqlite();
    for (const name of ['a', 'b', 'c', 'd']) {
      for (const index of [0, 100, 249])
        expect(await tier.get(`${name}${index}`)).toMatchObject({ text: name });
    }
  });

  it('is purged of expired rows, a few at a time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const tier = sqlite();
    for (let index = 0; index < 20; index++) await tier.set(`k${index}`, answer('a', 1000));
    await tier.set('text', answer('an expired text', 1000));
    await tier.set('kept', answer('a'));
    expect(inFile('SELECT count(*) FROM keyv')).toBe(22);
    await delay(1010);
    await vi.advanceTimersByTimeAsync(100_000);
    vi.useRealTimers();
    await eventually(() => inFile('SELECT count(*) FROM keyv') === 1);
    await eventually(() => !bytesOfFiles().includes('an expired text'));
  });

  it.each([
    ['not a database', () => writeFileSync(path, 'This is not a database.'.repeat(1000))],
    ['truncated', () => truncateSync(path, 8192 + 100)],
    ['overwritten in the middle', () => overwrite()],
  ])('that is %s is recreated, and it is logged once', async (_, damage) => {
    const before = sqlite();
    for (let index = 0; index < 200; index++) await before.set(`k${index}`, answer('x'.repeat(1000)));
    await before.close();
    damage();
    const tier = sqlite();
    await eventually(async () => {
      await Promise.all(Array.from({ length: 200 }, (__, index) => finds(tier, `k${index}`)));
      return works(tier);
    });
    await eventually(() => warnings.length === 2);
    expect(warnings[0]).toContain('cannot be used now');
    expect(warnings[1]).toContain('can be used again');
  });

  it('that is damaged while it is in use is recreated', async () => {
    const tier = sqlite();
    for (let index = 0; index < 1000; index++) await tier.set(`k${index}`, answer('x'.repeat(10_000)));
    overwrite();
    await eventually(async () => {
      await Promise.all(Array.from({ length: 1000 }, (_, index) => finds(tier, `k${index}`)));
      return warnings.length > 0;
    });
    await eventually(() => works(tier));
    expect(await finds(tier, 'k0')).toBe(false);
  });

  it('that is deleted while it is in use causes no errors', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const tier = sqlite();
    await tier.set('k', answer('a'));
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    expect(await finds(tier, 'k')).toBe(true);
    await vi.advanceTimersByTimeAsync(100_000);
    vi.useRealTimers();
    await eventually(() =>
      tier.set('new', answer('new')).then(() => statSync(path, { throwIfNoEntry: false }) !== undefined),
    );
    expect(await finds(tier, 'new')).toBe(true);
  });

  it('that another process locks briefly is written after the lock is released', async () => {
    const tier = sqlite();
    await tier.set('k', answer('a'));
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const written = tier.set('k2', answer('b'));
    expect(await finds(tier, 'k')).toBe(true);
    await delay(500);
    other.exec('ROLLBACK');
    await written;
    expect(await finds(tier, 'k2')).toBe(true);
    other.close();
  });

  it(
    'that another process locks for long: the write is dropped, and lookups work',
    { tags: ['long'] },
    async () => {
      const tier = sqlite();
      await tier.set('k', answer('a'));
      const other = new DatabaseSync(path);
      other.exec('BEGIN IMMEDIATE');
      await expect(tier.set('k2', answer('b'))).rejects.toThrow('locked');
      expect(await finds(tier, 'k')).toBe(true);
      other.exec('ROLLBACK');
      other.close();
      await tier.set('k2', answer('b'));
    },
  );

  it('that is locked while it is opened is opened later', async () => {
    const before = sqlite();
    await before.set('k', answer('a'));
    await before.close();
    const other = new DatabaseSync(path);
    other.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
    const tier = sqlite();
    expect(await finds(tier, 'k')).toBe(false);
    other.exec('ROLLBACK; PRAGMA locking_mode=NORMAL');
    other.close();
    await eventually(() => finds(tier, 'k'));
  });

  it(
    'that cannot be created is logged once, and every lookup fails at once',
    { tags: ['long'] },
    async () => {
      // No file can be created in /proc, not even by root.
      const tier = sqlite(MEGABYTE, process.platform === 'linux' ? '/proc/answers.sqlite' : join(path, 'x'));
      if (process.platform !== 'linux') writeFileSync(path, '');
      for (let index = 0; index < 5; index++) await expect(tier.get('k')).rejects.toThrow();
      await expect(tier.set('k', answer('a'))).rejects.toThrow();
      expect(warnings).toHaveLength(1);
    },
  );

  it('on a full disk stores no new answers until there is room again', async (context) => {
    const disk = mkdtempSync(join(tmpdir(), 'ask-disk-'));
    const mount = promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    context.skip(!(await isFulfilled(mount)), 'only root can mount a small disk');
    const tier = sqlite(16 * MEGABYTE, join(disk, 'answers.sqlite'));
    try {
      await tier.set('k', answer('a'));
      const filler = join(disk, 'filler');
      await promisify(execFile)('sh', ['-c', `head -c 2000000 /dev/zero > ${filler} || true`]);
      await expect(tier.set('k2', answer('x'.repeat(100_000)))).rejects.toThrow(/full|I\/O/);
      expect(await finds(tier, 'k')).toBe(true);
      rmSync(filler);
      await eventually(() => works(tier), 20_000);
    } finally {
      await tier.close();
      await promisify(execFile)('umount', [disk]);
    }
  });
});

describe('Redis', { tags: ['redis'] }, () => {
  let redis: Redis;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.kill());
  it('that refuses connections is skipped at once, logged once, and used when it is available', async () => {
    await redis.kill();
    const tier = opened(createRedisTier({ url: redis.url }, warn));
    await expect(tier.get('k')).rejects.toThrow('not connected');
    await expect(tier.set('k', answer('a'))).rejects.toThrow('not connected');
    await eventually(() => warnings.length === 1);
    await delay(500);
    expect(warnings).toEqual([
      'The Redis cache is not used for now: it cannot be reached. Check ANSWER_CACHE_REDIS_URL.',
    ]);
    redis = await startRedis(redis.port);
    await eventually(() => works(tier));
    expect(warnings).toHaveLength(2);
  });

  it('that restarts is used again', async () => {
    const tier = await connected(redis.url);
    await redis.kill();
    await eventually(async () => !(await isFulfilled(tier.get('k'))));
    redis = await startRedis(redis.port);
    await eventually(() => works(tier));
    expect(warnings).toHaveLength(2);
  });

  it('that hangs delays one lookup only', { tags: ['posix'] }, async () => {
    const tier = await connected(redis.url);
    redis.process.kill('SIGSTOP');
    await expect(tier.get('k')).rejects.toThrow('within 300 ms');
    for (let index = 0; index < 5; index++) await expect(tier.get('k')).rejects.toThrow('not connected');
    expect(warnings).toHaveLength(1);
    redis.process.kill('SIGCONT');
    await eventually(() => finds(tier, 'k'));
    expect(warnings).toHaveLength(2);
  });

  it('behind a silent network is reached over a new connection', async () => {
    const proxy = await startTcpProxy(redis.port);
    const tier = await connected(`redis://127.0.0.1:${proxy.port}`);
    proxy.silence();
    await expect(tier.get('k')).rejects.toThrow('within 300 ms');
    await eventually(() => finds(tier, 'k'));
    expect(proxy.connections).toBe(2);
    await tier.close();
    await proxy.close();
  });

  it('that is out of memory still answers lookups', async () => {
    const tier = await connected(redis.url);
    expect(await redis.command('CONFIG', 'SET', 'maxmemory', '1')).toBe('+OK\r\n');
    await expect(tier.set('k2', answer('b'))).rejects.toThrow('OOM');
    expect(await finds(tier, 'k')).toBe(true);
    expect(warnings).toEqual([]);
  });
});
