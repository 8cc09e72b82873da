/**
 * Throughput and model calls of 1, 2 and 4 instances: app processes behind a balancer, sharing Azurite, Redis and the
 * emulated model. Compare the ratios, not the figures. Needs redis-server.
 */
import { randomUUID } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { format, median } from '../../dev/figures/cost.ts';
import { startBalancer } from '../../dev/stack/balancer.ts';
import type { HostProcess } from '../../dev/stack/host-process.ts';
import { startRedis } from '../../dev/stack/redis.ts';
import type { Environment, PartResult } from '../harness/environment.ts';
import { Callers, load, type Reply } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import { tableOf } from '../harness/results.ts';
import { byTurns } from '../harness/turns.ts';

const SIZES = [1, 2, 4] as const;
const ROUND_MS = 6000;
const CONNECTIONS = 64;
const MODEL_MS = 100;
/** Half of the questions are among so many popular ones; the others are unique. */
const POPULAR = 20;

/** One measurement of one number of instances. */
interface Sample {
  perSecond: number;
  /** Model calls for each question of the mix. */
  calls: number;
  /** Model calls for 64 identical questions at once. */
  burstCalls: number;
  failed: number;
  /** Busy cores: of the apps, and of all processes. */
  appCores: number;
  allCores: number;
}

/** Measures each number of instances by turns. */
export async function measureInstances(environment: Environment, rounds: number): Promise<PartResult> {
  await environment.behave({ latencyMs: MODEL_MS });
  const redis = environment.own(await startRedis(), (each) => each.kill());
  const apps: HostProcess[] = [];
  for (let index = 0; index < Math.max(...SIZES); index++)
    apps.push(await environment.startHost('app', { ANSWER_CACHE_REDIS_URL: redis.url }));
  const others = [redis.process.pid, environment.azurite.process.pid, environment.services.pid, process.pid];
  const sides = await Promise.all(
    SIZES.map(async (size) => {
      const targets = apps.slice(0, size).map(({ url }) => url);
      const { url } = environment.own(await startBalancer(targets), (each) => each.close());
      return [String(size), () => measure(url, apps, others.map(Number))] as const;
    }),
  );
  const all = await byTurns(rounds, Object.fromEntries(sides));
  console.log(
    `Load average ${format(loadavg()[0] ?? 0)} on ${cpus().length} cores for all processes. Where the cores are used up, the ratio says nothing about instances that have cores of their own.`,
  );
  return { tables: { instances: toTable(all) } };
}

async function measure(url: string, apps: HostProcess[], others: number[]): Promise<Sample> {
  const callers = new Callers({ url }, CONNECTIONS);
  const name = randomUUID();
  try {
    // Opens the connections, and the apps' own to the model and to storage.
    await load({ url }, CONNECTIONS, CONNECTIONS, () => ({ question: `${name} warm ${randomUUID()}` }));
    const callsBefore = await callsOf(apps);
    await load({ url }, CONNECTIONS, CONNECTIONS, () => ({ question: `${name} burst` }));
    const calls = await callsOf(apps);
    const appPids = apps.map(({ process: app }) => app.pid ?? 0);
    const before = { app: used(appPids), others: used(others) };
    const startedAt = performance.now();
    let asked = 0;
    const replies = await callers.whileTrue(
      () => performance.now() < startedAt + ROUND_MS,
      CONNECTIONS,
      () => {
        const number = asked++;
        const text = number % 2 === 0 ? `popular ${(number / 2) % POPULAR}` : `unique ${number}`;
        return { question: `${name} ${text}` };
      },
    );
    const ms = performance.now() - startedAt;
    const failed = replies.filter(hasFailed).length;
    const appCores = (used(appPids) - before.app) / ms;
    return {
      perSecond: (1000 * (asked - failed)) / ms,
      calls: ((await callsOf(apps)) - calls) / (asked - failed),
      burstCalls: calls - callsBefore,
      failed,
      appCores,
      allCores: appCores + (used(others) - before.others) / ms,
    };
  } finally {
    await callers.close();
    // The balancer still answers requests that were cut off.
    await delay(100);
  }
}

/** The CPU time of processes so far, in milliseconds. */
const used = (pids: number[]): number => pids.reduce((sum, pid) => sum + cpuTime(pid), 0);

/**
 * On an overloaded machine, the local functions host may send a question over a connection that the app is closing, and
 * then responds with an empty 502.
 * @throws Error after every other failure.
 */
function hasFailed({ status, text }: Reply): boolean {
  if (status === 200) return false;
  if (status === 502 && text === '') return true;
  throw new Error(`a response with status ${status}: ${text.slice(0, 500)}`);
}

/** The model calls of all instances so far. */
async function callsOf(apps: HostProcess[]): Promise<number> {
  const totals = await Promise.all(
    apps.map(async ({ url }) => {
      const response = await fetch(`${url}/health/ready`);
      return ((await response.json()) as { totals: { model_calls: number } }).totals.model_calls;
    }),
  );
  return totals.reduce((sum, calls) => sum + calls, 0);
}

function toTable(all: Record<string, Sample>[]): string[][] {
  const rows = SIZES.map(String).map((size) => {
    const samples = all.flatMap((round) => round[size] ?? []);
    const of = (pick: (sample: Sample) => number): string => format(median(samples.map(pick)));
    // The ratio within a round, because the machine is shared.
    const ratios = all.map((round) => (round[size]?.perSecond ?? 0) / (round['1']?.perSecond ?? 0));
    return {
      Instances: size,
      'Questions a second': of(({ perSecond }) => perSecond),
      Ratio: format(median(ratios)),
      'Model calls for each question': of(({ calls }) => calls),
      [`Model calls for ${CONNECTIONS} identical questions at once`]: samples
        .map(({ burstCalls }) => burstCalls)
        .join(', '),
      Failed: String(samples.reduce((sum, { failed }) => sum + failed, 0)),
      'Busy cores: apps, all': `${of(({ appCores }) => appCores)}, ${of(({ allCores }) => allCores)}`,
    };
  });
  return tableOf(rows);
}
