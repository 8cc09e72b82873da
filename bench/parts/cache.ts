/** The answer cache: hits in each tier, and how long the event loop is blocked while the file is locked, full or cleared. */
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Cost } from '../../dev/figures/cost.ts';
import { type CachedAnswer, type CacheTier, createMemoryTier } from '../../src/lib/cache/cache-tier.ts';
import { createSqliteTier } from '../../src/lib/cache/sqlite-tier.ts';
import type { Environment } from '../harness/environment.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';

const MEGABYTE = 1024 * 1024;
const LOOKUPS = 10_000;
const [FEW, MANY] = [1000, 1_000_000];
const TEXT = 'The capital of France is Paris. '.repeat(4);

/** Measures the hits by turns, and the longest block of the event loop once. */
export async function measureCache(environment: Environment, rounds: number): Promise<Cost[]> {
  // The tiers themselves do not keep the process alive.
  environment.own(
    setInterval(() => {}, 1000),
    async (timer) => clearInterval(timer),
  );
  const open = (name: string, megabytes: number): CacheTier =>
    environment.own(
      createSqliteTier(join(environment.folder, name), megabytes * MEGABYTE, console.error),
      (tier) => tier.close(),
    );
  await measureBlocks(join(environment.folder, 'bounded.sqlite'), () => open('bounded.sqlite', 16));
  const [memory, few, many] = [
    createMemoryTier(32 * MEGABYTE),
    open('few.sqlite', 256),
    open('many.sqlite', 1024),
  ];
  for (const tier of [memory, few, many])
    for (let index = 0; index < FEW; index++) await tier.set(`k${index}`, answer());
  fill(join(environment.folder, 'many.sqlite'), MANY);
  const all = await byTurns(rounds, {
    memory: () => lookUp(memory, FEW),
    file: () => lookUp(few, FEW),
    large: () => lookUp(many, MANY),
  });
  console.log(`clearing a million rows: ${await longestBlock(() => many.clear())}`);
  return [
    costOf(all, { name: 'A hit in the file', sides: ['file', 'memory'], unit: 'us', of: itself }),
    costOf(all, {
      name: `A hit among ${MANY} rows`,
      baseline: `${FEW} rows`,
      sides: ['large', 'file'],
      unit: 'us',
      of: itself,
    }),
  ];
}

async function measureBlocks(path: string, open: () => CacheTier): Promise<void> {
  const tier = open();
  await tier.set('first', answer());
  const full = await longestBlock(async () => {
    for (let index = 0; index < 30_000; index++) await tier.set(`k${index}`, answer(TEXT.repeat(10)));
  });
  console.log(`30,000 writes of 1.3 KB into a file of at most 16 MB: ${full}`);
  const release = await lockFromOutside(path);
  const locked = await longestBlock(async () => {
    await tier.set('locked', answer()).catch(() => {});
    for (let index = 0; index < 100; index++) await tier.get(`k${index}`).catch(() => {});
    open();
    await delay(1000);
  });
  console.log(`locked by another thread during all attempts of a write, and of opening it: ${locked}`);
  await release();
}

/** Microseconds of a hit. */
async function lookUp(tier: CacheTier, keys: number): Promise<number> {
  const startedAt = performance.now();
  for (let index = 0; index < LOOKUPS; index++)
    if (!(await tier.get(`k${(index * 7919) % keys}`))) throw new Error(`a lookup in ${tier.name} missed`);
  return (1000 * (performance.now() - startedAt)) / LOOKUPS;
}

function fill(file: string, rows: number): void {
  const database = new DatabaseSync(file, { timeout: 5000 });
  const { expiresAt } = answer();
  const value = JSON.stringify({ value: answer(), expires: expiresAt });
  const insert = database.prepare(
    "INSERT OR IGNORE INTO keyv (key, value, namespace, expires) VALUES (?, ?, '', ?)",
  );
  database.exec('BEGIN');
  for (let index = 0; index < rows; index++) insert.run(`k${index}`, value, expiresAt);
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

let longestMs = 0;
// The driver is synchronous, so that its longest statement is the longest block of the event loop. A monitor of the event
// loop would mostly show the benchmark's garbage collection.
for (const method of ['run', 'all'] as const) {
  const original = StatementSync.prototype[method] as (...given: unknown[]) => unknown;
  Object.assign(StatementSync.prototype, {
    [method](this: StatementSync, ...given: unknown[]) {
      const startedAt = performance.now();
      try {
        return original.apply(this, given);
      } finally {
        longestMs = Math.max(longestMs, performance.now() - startedAt);
      }
    },
  });
}

/** Returns the duration of the longest statement while `work` runs. */
async function longestBlock(work: () => Promise<unknown>): Promise<string> {
  longestMs = 0;
  await work();
  return `blocked for at most ${longestMs.toFixed(1)} ms`;
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
