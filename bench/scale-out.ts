/**
 * Throughput and model calls of 1, 2 and 4 instances: `npm run bench:scale`. The instances are app processes behind a
 * balancer, sharing Azurite, Redis and the emulated model. Compare the ratios, not the figures.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { buildApp } from '../dev/bundle/bundle.ts';
import { writePackage } from '../dev/package.ts';
import { startAzuriteTables } from '../dev/stack/azurite.ts';
import { type Balancer, startBalancer } from '../dev/stack/balancer.ts';
import { systemEnvironment } from '../dev/stack/child-process.ts';
import { type HostProcess, startHostProcess } from '../dev/stack/host-process.ts';
import { startRedis } from '../dev/stack/redis.ts';
import { emulatorSettings } from '../dev/stack/settings.ts';
import { format, median } from './harness/cost.ts';
import { startEmulatorProcess } from './harness/emulator-process.ts';
import { readBenchOptions } from './harness/options.ts';
import { cpuTime } from './harness/process-usage.ts';

export const help = `npm run bench:scale

Measures throughput and model calls of 1, 2 and 4 app processes behind a balancer, and prints the ratios to 1 process.
It runs on Linux, needs redis-server, and takes less than two minutes. Ctrl-C ends it with the rounds so far.`;

const SIZES = [1, 2, 4] as const;
const ROUNDS = 3;
const ROUND_MS = 6000;
/** No further round begins after this time, so that everything ends within two minutes. */
const LIMIT_MS = 90_000;
const CONNECTIONS = 64;
const MODEL_MS = 100;
/** Half of the questions are among so many popular ones; the others are unique. */
const POPULAR = 20;
/** Identical questions at the same time, on all instances. */
const BURST = 64;

/** One measurement of one number of instances. */
interface Sample {
  perSecond: number;
  /** Model calls for each question of the mix. */
  calls: number;
  /** Model calls for a burst of identical questions. */
  burstCalls: number;
  failed: number;
  /** Busy cores: of the apps, and of all processes. */
  appCores: number;
  allCores: number;
}

interface Stack {
  apps: HostProcess[];
  /** The processes that the apps share, and this one. */
  others: number[];
  balancers: Map<number, Balancer>;
}

const onOutput = (text: string): unknown => process.env['BENCH_VERBOSE'] && process.stderr.write(text);
/** The CPU time of processes so far, in milliseconds. */
const used = (pids: number[]): number => pids.reduce((sum, pid) => sum + cpuTime(pid), 0);

export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  const startedAt = performance.now();
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  const samples = new Map<number, Sample[]>(SIZES.map((size) => [size, []]));
  try {
    await withStack(async (stack) => {
      for (let round = 1; round <= ROUNDS; round++) {
        for (const size of SIZES) {
          if (interrupted.signal.aborted || performance.now() - startedAt > LIMIT_MS) return;
          console.log(`Round ${round} of ${ROUNDS}, ${size} of ${SIZES.at(-1)} instances ...`);
          samples.get(size)?.push(await measure(stack, size, interrupted.signal));
        }
      }
    });
  } catch (error) {
    // Ctrl-C also ends the processes that were being measured.
    if (!interrupted.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  report(samples);
  if (interrupted.signal.aborted) process.exitCode = 130;
}

async function withStack(use: (stack: Stack) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-scale-'));
  const running: (() => Promise<unknown>)[] = [];
  const started = <T>(part: T, stop: (part: T) => Promise<unknown>): T => {
    running.push(() => stop(part));
    return part;
  };
  try {
    await buildApp();
    writePackage(join(folder, 'app'));
    const redis = started(await startRedis(), (part) => part.kill());
    const azurite = started(await startAzuriteTables(folder), (part) => part.stop());
    const emulator = started(await startEmulatorProcess(), (part) => part.stop());
    await emulator.behave({ latencyMs: MODEL_MS });
    const apps: HostProcess[] = [];
    for (let index = 0; index < Math.max(...SIZES); index++) {
      const env = {
        ...systemEnvironment(),
        LOG_LEVEL: 'warn',
        ...emulatorSettings(emulator),
        AzureWebJobsStorage: azurite.connectionString,
        ANSWER_CACHE_PATH: join(folder, `answers-${index}.sqlite`),
        ANSWER_CACHE_REDIS_URL: redis.url,
      };
      const options = { root: join(folder, 'app'), port: 0, env, onOutput };
      apps.push(started(await startHostProcess(options), (part) => part.stop()));
    }
    const balancers = new Map<number, Balancer>();
    for (const size of SIZES) {
      const targets = apps.slice(0, size).map(({ url }) => url);
      balancers.set(
        size,
        started(await startBalancer(targets), (part) => part.close()),
      );
    }
    const others = [redis.process.pid, azurite.process.pid, emulator.pid, process.pid].map(Number);
    await use({ apps, others, balancers });
  } finally {
    for (const stop of running.toReversed()) await stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(stack: Stack, size: number, signal: AbortSignal): Promise<Sample> {
  const url = stack.balancers.get(size)?.url ?? '';
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const name = randomUUID();
  try {
    // Opens the connections, and the apps' own to the model and to storage.
    await burst(pool, () => `${name} warm ${randomUUID()}`);
    const callsBefore = await callsOf(stack);
    await burst(pool, () => `${name} burst`);
    const burstCalls = (await callsOf(stack)) - callsBefore;

    const appPids = stack.apps.map(({ process: app }) => app.pid ?? 0);
    const before = { app: used(appPids), others: used(stack.others), calls: burstCalls + callsBefore };
    const startedAt = performance.now();
    const { answered, failed } = await askFor(pool, ROUND_MS, name, signal);
    const ms = performance.now() - startedAt;
    const appCores = (used(appPids) - before.app) / ms;
    return {
      perSecond: (1000 * answered) / ms,
      calls: ((await callsOf(stack)) - before.calls) / answered,
      burstCalls,
      failed,
      appCores,
      allCores: appCores + (used(stack.others) - before.others) / ms,
    };
  } finally {
    await pool.destroy();
  }
}

/** Asks the mix for a time. Gives the numbers of answers and of failures. */
async function askFor(
  pool: Pool,
  ms: number,
  name: string,
  signal: AbortSignal,
): Promise<{ answered: number; failed: number }> {
  const end = performance.now() + ms;
  let asked = 0;
  let failed = 0;
  const run = async (): Promise<void> => {
    while (performance.now() < end && !signal.aborted) {
      const number = asked++;
      const text = number % 2 === 0 ? `popular ${(number / 2) % POPULAR}` : `unique ${number}`;
      if (!(await ask(pool, `${name} ${text}`))) failed++;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, run));
  return { answered: asked - failed, failed };
}

const burst = (pool: Pool, question: () => string): Promise<unknown> =>
  Promise.all(Array.from({ length: BURST }, () => ask(pool, question())));

/**
 * Gives whether the question was answered. On an overloaded machine, the local functions host may send a question to the
 * app over a connection that the app is closing, and then responds with an empty 502. Every other failure is thrown.
 */
async function ask(pool: Pool, question: string): Promise<boolean> {
  const response = await pool.request({
    path: '/ask',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ question }),
  });
  const text = await response.body.text();
  if (response.statusCode === 502 && text === '') return false;
  if (response.statusCode !== 200)
    throw new Error(`a response with status ${response.statusCode}: ${text.slice(0, 500)}`);
  return true;
}

/** The model calls of all instances so far. */
async function callsOf({ apps }: Stack): Promise<number> {
  const totals = await Promise.all(
    apps.map(async ({ url }) => {
      const response = await fetch(`${url}/health/ready`);
      return ((await response.json()) as { totals: { model_calls: number } }).totals.model_calls;
    }),
  );
  return totals.reduce((sum, calls) => sum + calls, 0);
}

function report(samples: Map<number, Sample[]>): void {
  const one = samples.get(1)?.map(({ perSecond }) => perSecond) ?? [];
  console.log(
    `\nHalf of the questions popular, half unique; the model takes ${MODEL_MS} ms; ${CONNECTIONS} connections; medians.\n` +
      `\n| Instances | Questions a second | Ratio | Model calls a question | Model calls of ${BURST} identical | Failed | Busy cores: apps | all |\n|---|---|---|---|---|---|---|---|`,
  );
  for (const [size, rounds] of samples) {
    if (rounds.length === 0) continue;
    const of = (pick: (sample: Sample) => number): string => format(median(rounds.map(pick)));
    // The ratio within a round, because the machine is shared.
    const ratios = rounds.map(({ perSecond }, index) => perSecond / (one[index] ?? Number.NaN));
    const burstCalls = rounds.map((sample) => sample.burstCalls).join(', ');
    console.log(
      `| ${size} | ${of((sample) => sample.perSecond)} | ${format(median(ratios))} | ${of((sample) => sample.calls)} | ` +
        `${burstCalls} | ${rounds.reduce((sum, { failed }) => sum + failed, 0)} | ${of((sample) => sample.appCores)} | ${of((sample) => sample.allCores)} |`,
    );
  }
  console.log(
    `\nThis machine has ${cpus().length} cores for all processes, the balancer and the load too; its load average is ${format(loadavg()[0] ?? 0)}. Where "all" or the load ` +
      'average is near that number or above it, the cores are the limit, and the ratio says nothing about instances that ' +
      'have cores of their own.',
  );
}
