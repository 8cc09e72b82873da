/** Memory, throughput and tail under 200 questions at a time, with a model that takes 200 ms. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { cpuTime, peakMemory, resetPeakMemory } from '../harness/process-usage.ts';
import { byTurns, type Comparison, costOf } from '../harness/turns.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';

const CONNECTIONS = 200;
const MODEL_MS = 200;
const REQUESTS = 3000;
const CORES = 2;

interface Measured {
  memory: number;
  p50: number;
  p99: number;
  /** Milliseconds for each answer, and the least that is possible. */
  perAnswer: number;
  ideal: number;
}

const body = () => ({ question: randomUUID() });

/** Measures the app, the app without the libraries, and the constant function, which waits as long as the model takes. */
export async function measureThroughput(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await byTurns(rounds, {
    constant: () => measure(environment, 'constant'),
    app: () => measure(environment, 'app'),
    plain: () => measure(environment, 'plain'),
  });
  const suffix = `${CONNECTIONS} connections, model at ${MODEL_MS} ms`;
  type Side = keyof (typeof all)[number];
  const constant = (name: string, rest: Omit<Comparison<Side, Measured>, 'name'>): Cost =>
    costOf<Side, Measured>(all, { name: `${name}, ${suffix}`, baseline: 'constant function', ...rest });
  const within = (
    name: string,
    baseline: string,
    pick: (app: Measured) => [number, number],
    target: number,
  ) => ({
    name: `${name}, ${suffix}`,
    baseline,
    unit: 'ms' as const,
    target,
    rounds: all.map(({ app }) => ({ app: pick(app)[0], baseline: pick(app)[1] })),
  });
  const memory = { unit: 'MB' as const, of: (measured: Measured) => measured.memory };
  return [
    constant('Memory', { sides: ['app', 'constant'], target: 1.5, ...memory }),
    constant('Memory without the libraries', { sides: ['plain', 'constant'], ...memory }),
    // At least 90 % of the ideal throughput.
    within('Time per answer', 'ideal throughput', ({ perAnswer, ideal }) => [perAnswer, ideal], 1 / 0.9),
    within('p99', 'p50', ({ p99, p50 }) => [p99, p50], 2),
    constant('p50', { sides: ['app', 'constant'], of: ({ p50 }) => p50 }),
  ];
}

/** Measures a new process on empty storage. */
async function measure(environment: Environment, subject: Subject): Promise<Measured> {
  await environment.behave({ latencyMs: MODEL_MS });
  const worker = await environment.start(subject, { DELAY_MS: String(MODEL_MS) });
  const pid = worker.process.pid ?? 0;
  // Warms up, so that V8 compiles the code.
  await load(worker, CONNECTIONS, REQUESTS / 2, body);
  resetPeakMemory(pid);
  const { durationMs, times } = await load(worker, CONNECTIONS, REQUESTS, body);
  const memory = peakMemory(pid);
  const used = await cpuPerRequest(environment, worker);
  await worker.stop();
  await environment.emptyStorage().catch(() => {});
  return {
    memory,
    p50: times.p50,
    p99: times.p99 ?? Number.NaN,
    perAnswer: durationMs / REQUESTS,
    // The app's JavaScript uses one core; all processes together share the cores of the machine.
    ideal: Math.max(MODEL_MS / CONNECTIONS, used.app, used.all / CORES),
  };
}

/** CPU time per request in milliseconds, of the app and of all processes, under low load and without model latency. */
async function cpuPerRequest(
  environment: Environment,
  worker: WorkerProcess,
): Promise<{ app: number; all: number }> {
  const requests = REQUESTS / 3;
  await environment.behave({});
  const others = [environment.services.pid, environment.azurite.process.pid ?? 0, process.pid];
  const sum = (): number => others.reduce((total, pid) => total + cpuTime(pid), 0);
  const pid = worker.process.pid ?? 0;
  const [appBefore, othersBefore] = [cpuTime(pid), sum()];
  await load(worker, 16, requests, body);
  const app = cpuTime(pid) - appBefore;
  return { app: app / requests, all: (app + sum() - othersBefore) / requests };
}
