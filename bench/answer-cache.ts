/**
 * The cost of the answer cache: `npm run bench:cache`. It measures a lookup in each tier, the file with a thousand
 * and a million rows, how long the event loop is blocked while the file is locked, full or cleared, and bursts of
 * identical questions. Compare ratios, not times. The Redis part needs redis-server.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { setTimeout as delay } from 'node:timers/promises';
import { type CachedAnswer, type CacheTier, createMemoryTier } from '../src/lib/cache/cache-tier.ts';
import { createRedisTier } from '../src/lib/cache/redis-tier.ts';
import { createSqliteTier } from '../src/lib/cache/sqlite-tier.ts';
import { startRedis } from '../dev/stack/redis.ts';
import { withApp } from './harness/app.ts';
import { readBenchOptions } from './harness/options.ts';

const MEGABYTE = 1024 * 1024;
const LOOKUPS = 20_000;
const TEXT = 'The capital of France is Paris. '.repeat(4);

/** The help text. */
export const help = `npm run bench:cache

Measures and prints the cost of the answer cache: a lookup in each tier, files of a thousand and a million rows, how
long the event loop is blocked, and bursts of identical questions. Compare ratios, not times. Needs redis-server.

  --help`;

/** Runs the measurements and prints the results. */
export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  // The tiers themselves do not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  try {
    await compareTiers(join(folder, 'answers.sqlite'));
    await measureBlocking(join(folder, 'bounded.sqlite'));
    await compareSizes(join(folder, 'large.sqlite'));
    await measureBursts();
  } finally {
    clearInterval(alive);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compareTiers(path: string): Promise<void> {
  const redis = await startRedis();
  const tiers = [
    createMemoryTier(32 * MEGABYTE),
    createSqliteTier(path, 256 * MEGABYTE, console.error),
    createRedisTier({ url: redis.url }, console.error),
  ];
  await delay(500);
  console.log('Sequential hits');
  for (const tier of tiers) {
    for (let index = 0; index < 1000; index++) await tier.set(`k${index}`, answer());
    await lookUp(tier, 1000);
    const { wallUs, cpuUs } = await lookUp(tier, 1000);
    console.log(`  ${tier.name.padEnd(8)} ${wallUs.toFixed(1).padStart(7)} us, CPU ${cpuUs.toFixed(1)} us`);
    await tier.close();
  }
  await redis.kill();
}

/** Measures the file with a thousand and a million rows. */
async function compareSizes(large: string): Promise<void> {
  const tier = createSqliteTier(large, 1024 * MEGABYTE, console.error);
  await tier.set('first', answer());
  const times: number[] = [];
  for (const rows of [1000, 1_000_000]) {
    fill(large, rows);
    await lookUp(tier, rows);
    times.push((await lookUp(tier, rows)).wallUs);
    console.log(`  ${rows} rows: a hit takes ${times.at(-1)?.toFixed(1)} us, ${fileSize(large)}`);
  }
  const [few = 0, many = 0] = times;
  console.log(`  ratio ${(many / few).toFixed(2)}x`);
  const purge = await longestBlock(() => tier.clear());
  console.log(`  clearing a million rows: blocked for at most ${purge}`);
  await tier.close();
}

/**
 * Measures how long the event loop is blocked. It uses its own file and runs before the large file is written, whose
 * disk writes would be measured too.
 */
async function measureBlocking(bounded: string): Promise<void> {
  console.log('The file');
  const tier = createSqliteTier(bounded, 16 * MEGABYTE, console.error);
  await tier.set('first', answer());
  const full = await longestBlock(async () => {
    for (let index = 0; index < 30_000; index++) await tier.set(`k${index}`, answer(TEXT.repeat(10)));
  });
  console.log(`  30,000 writes of 1.3 KB into 16 MB: ${fileSize(bounded)}, blocked for at most ${full}`);
  const release = await lockFromOutside(bounded);
  const locked = await longestBlock(async () => {
    await tier.set('locked', answer()).catch(() => {});
    for (let index = 0; index < 100; index++) await tier.get(`k${index}`).catch(() => {});
  });
  console.log(`  locked by another thread during all attempts of a write: blocked for at most ${locked}`);
  const opening = createSqliteTier(bounded, 16 * MEGABYTE, console.error);
  console.log(`  opening the locked file: blocked for at most ${await longestBlock(() => delay(1000))}`);
  await release();
  await Promise.all([tier.close(), opening.close()]);
}

/** Sends bursts of identical questions to the whole app, with a model that takes 200 ms. */
async function measureBursts(): Promise<void> {
  console.log('Concurrent identical questions, with a model that takes 200 ms');
  await withApp({ latencyMs: 200 }, async ({ url, emulator }) => {
    for (const size of [1, 200, 2000]) {
      emulator.reset();
      const startedAt = performance.now();
      const body = JSON.stringify({ question: `Asked by ${size}` });
      const headers = { 'Content-Type': 'application/json' };
      const answers = await Promise.all(
        Array.from({ length: size }, () => fetch(`${url}/ask`, { method: 'POST', headers, body })),
      );
      const failed = answers.filter(({ status }) => status !== 200).length;
      const took = performance.now() - startedAt;
      console.log(
        `  ${String(size).padStart(4)}: ${emulator.requests.length} model calls, ${took.toFixed(0)} ms, ${failed} failed`,
      );
    }
  });
}

async function lookUp(tier: CacheTier, keys: number): Promise<{ wallUs: number; cpuUs: number }> {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  let missed = 0;
  for (let index = 0; index < LOOKUPS; index++) {
    if (!(await tier.get(`k${(index * 7919) % keys}`))) missed++;
  }
  const wallUs = (1000 * (performance.now() - started)) / LOOKUPS;
  const { user, system } = process.cpuUsage(cpu);
  if (missed > 0) throw new Error(`${missed} lookups in ${tier.name} missed`);
  return { wallUs, cpuUs: (user + system) / LOOKUPS };
}

function fill(file: string, rows: number): void {
  const database = new DatabaseSync(file, { timeout: 5000 });
  const { expiresAt } = answer();
  const value = JSON.stringify({ value: answer(), expires: expiresAt });
  const insert = database.prepare(
    "INSERT OR IGNORE INTO keyv (key, value, namespace, expires) VALUES (?, ?, '', ?)",
  );
  const { namespace } = (database.prepare('SELECT namespace FROM keyv LIMIT 1').get() ?? {}) as {
    namespace?: string;
  };
  if (namespace !== '') throw new Error(`the namespace of the rows is ${namespace}`);
  database.exec('BEGIN');
  for (let index = 0; index < rows; index++) insert.run(`k${index}`, value, expiresAt);
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

let longestStatementMs = 0;
// The driver is synchronous, so that its longest statement is the longest block of the event loop. An event loop
// monitor would mostly show the benchmark's garbage collection.
for (const method of ['run', 'all'] as const) {
  const original = StatementSync.prototype[method] as (...parameters: unknown[]) => unknown;
  Object.assign(StatementSync.prototype, {
    [method](this: StatementSync, ...parameters: unknown[]) {
      const startedAt = performance.now();
      try {
        return original.apply(this, parameters);
      } finally {
        longestStatementMs = Math.max(longestStatementMs, performance.now() - startedAt);
      }
    },
  });
}

/** Returns the duration of the longest statement on the file while `work` runs. */
async function longestBlock(work: () => Promise<unknown>): Promise<string> {
  longestStatementMs = 0;
  await work();
  return `${longestStatementMs.toFixed(1)} ms`;
}

/** Holds the write lock in another thread. Returns a function that releases it. */
async function lockFromOutside(file: string): Promise<() => Promise<unknown>> {
  const script = `const { DatabaseSync } = require('node:sqlite');
    const { parentPort, workerData } = require('node:worker_threads');
    const database = new DatabaseSync(workerData);
    database.exec('BEGIN IMMEDIATE');
    parentPort.postMessage('locked');
    setInterval(() => {}, 1000);`;
  const worker = new Worker(script, { eval: true, workerData: file });
  await new Promise((resolve) => worker.once('message', resolve));
  return () => worker.terminate();
}

const fileSize = (file: string): string => `${(statSync(file).size / MEGABYTE).toFixed(0)} MB`;

function answer(text = TEXT): CachedAnswer {
  const storedAt = Date.now();
  return {
    text,
    endpoint: 0,
    tokens: { prompt: 100, completion: 30, cached: 0, cacheWrite: 0, reasoning: 0 },
    storedAt,
    expiresAt: storedAt + 3_600_000,
  };
}
