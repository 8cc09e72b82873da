/** Memory and times with 200 questions in progress, with a model that takes 200 ms. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { peakMemory, resetPeakMemory } from '../harness/process-usage.ts';
import { byTurns, costOf } from '../harness/turns.ts';

const CONNECTIONS = 200;
const MODEL_MS = 200;
const REQUESTS = 3000;

interface Measured {
  memory: number;
  p50: number;
  p99: number;
}

const body = () => ({ question: randomUUID() });

/** Measures the app and the constant function, which waits as long as the model takes. */
export async function measureThroughput(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await byTurns(rounds, {
    constant: () => measure(environment, 'constant'),
    app: () => measure(environment, 'app'),
  });
  const suffix = `${CONNECTIONS} connections, model at ${MODEL_MS} ms`;
  const common = { baseline: 'constant function', sides: ['app', 'constant'] as ['app', 'constant'] };
  const p99 = all.map(({ app }) => ({ app: app.p99, baseline: app.p50 }));
  return [
    costOf(all, {
      name: `Memory, ${suffix}`,
      ...common,
      unit: 'MB',
      target: 1.5,
      of: ({ memory }) => memory,
    }),
    costOf(all, { name: `p50, ${suffix}`, ...common, of: ({ p50 }) => p50 }),
    { name: `p99, ${suffix}`, baseline: 'p50', unit: 'ms', target: 2, rounds: p99 },
  ];
}

/** Measures a new process on empty storage. */
async function measure(environment: Environment, subject: Subject): Promise<Measured> {
  await environment.behave({ latencyMs: MODEL_MS });
  await environment.emptyStorage();
  const worker = await environment.start(subject, { DELAY_MS: String(MODEL_MS) });
  const pid = worker.process.pid ?? 0;
  // Warms up, so that V8 compiles the code.
  await load(worker, CONNECTIONS, REQUESTS / 2, body);
  resetPeakMemory(pid);
  const { times } = await load(worker, CONNECTIONS, REQUESTS, body);
  const memory = peakMemory(pid);
  await worker.stop();
  return { memory, p50: times.p50, p99: times.p99 ?? Number.NaN };
}
