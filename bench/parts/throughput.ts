/** Many concurrent questions with a model that takes 200 ms: memory, throughput and tail latency. */
import { randomUUID } from 'node:crypto';
import type { Summary } from '../../dev/perf/statistics.ts';
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { load } from '../harness/load.ts';
import { cpuTime, peakMemory, resetPeakMemory } from '../harness/process-usage.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';

const CONNECTIONS = 200;
const MODEL_MS = 200;
const REQUESTS = 3000;
const CORES = 2;

/**
 * Alternates between the constant function, which waits as long as the model takes, and the app. Each round starts
 * new processes.
 */
export async function measureThroughput(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({ latencyMs: MODEL_MS });
  const results: Record<'memory' | 'bare' | 'time' | 'tail' | 'wait', Round[]> = {
    memory: [],
    bare: [],
    time: [],
    tail: [],
    wait: [],
  };
  for (let round = 0; round < rounds; round++) {
    const constant = await arena.start('constant', { DELAY_MS: String(MODEL_MS) });
    const baseline = await run(constant);
    await constant.stop();
    const host = await arena.start('app');
    const app = await run(host);
    const used = await cpuPerRequest(arena, host);
    await host.stop();
    await arena.emptyStorage();
    const plain = await arena.start('plain');
    const bare = await run(plain);
    await plain.stop();
    await arena.emptyStorage();

    results.bare.push({ app: bare.memory, baseline: baseline.memory });
    results.memory.push({ app: app.memory, baseline: baseline.memory });
    // The app's JavaScript uses one core; all processes together share the cores of the machine.
    const ideal = Math.max(MODEL_MS / CONNECTIONS, used.app, used.all / CORES);
    results.time.push({ app: app.durationMs / REQUESTS, baseline: ideal });
    results.tail.push({ app: app.times.p99 ?? Number.NaN, baseline: app.times.p50 });
    results.wait.push({ app: app.times.p50, baseline: baseline.times.p50 });
  }
  const name = `${CONNECTIONS} connections, model at ${MODEL_MS} ms`;
  return [
    {
      name: `Memory, ${name}`,
      baseline: 'constant function',
      unit: 'MB',
      target: 1.5,
      rounds: results.memory,
    },
    {
      name: `Memory without the libraries, ${name}`,
      baseline: 'constant function',
      unit: 'MB',
      target: null,
      rounds: results.bare,
    },
    // At least 90 % of the ideal throughput.
    {
      name: `Time per answer, ${name}`,
      baseline: 'ideal throughput',
      unit: 'ms',
      target: 1 / 0.9,
      rounds: results.time,
    },
    { name: `p99, ${name}`, baseline: 'p50', unit: 'ms', target: 2, rounds: results.tail },
    { name: `p50, ${name}`, baseline: 'constant function', unit: 'ms', target: null, rounds: results.wait },
  ];
}

const body = () => ({ question: randomUUID() });

async function run(host: WorkerProcess): Promise<{ durationMs: number; times: Summary; memory: number }> {
  const pid = host.process.pid ?? 0;
  // Warms up, so that V8 compiles the code.
  await load(host, CONNECTIONS, REQUESTS / 2, body);
  resetPeakMemory(pid);
  const { durationMs, times } = await load(host, CONNECTIONS, REQUESTS, body);
  return { durationMs, times, memory: peakMemory(pid) };
}

/** CPU time per request in milliseconds, of the app and of all processes, under low load and without model latency. */
async function cpuPerRequest(arena: Arena, host: WorkerProcess): Promise<{ app: number; all: number }> {
  const requests = REQUESTS / 3;
  await arena.emulator.behave({});
  const others = [arena.emulator.pid, arena.azurite, process.pid];
  const sum = (): number => others.reduce((total, pid) => total + cpuTime(pid), 0);
  const pid = host.process.pid ?? 0;
  const [appBefore, othersBefore] = [cpuTime(pid), sum()];
  await load(host, 16, requests, body);
  const app = cpuTime(pid) - appBefore;
  const all = app + sum() - othersBefore;
  await arena.emulator.behave({ latencyMs: MODEL_MS });
  return { app: app / requests, all: all / requests };
}
