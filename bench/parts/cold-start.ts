/** Time from the start of a process to its first uncached answer. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import { byTurns, type Comparison, costOf } from '../harness/turns.ts';

interface Start {
  /** Milliseconds from the start of the process to the answer. */
  time: number;
  /** CPU milliseconds until then. */
  cpu: number;
}

/** Starts the app and its baselines by turns, with a model without latency. */
export async function measureColdStart(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await starts(environment, rounds, ['constant', 'app', 'plain-bundle', 'plain']);
  const cost = (
    comparison: Pick<Comparison<Subject, Start>, 'name' | 'sides' | 'target' | 'baseline'>,
  ): Cost => costOf(all, { of: ({ time }) => time, ...comparison });
  const baseline = 'constant function';
  return [
    cost({
      name: 'Cold start, to the first uncached answer',
      sides: ['app', 'constant'],
      baseline,
      target: 1.2,
    }),
    costOf(all, { name: 'CPU until then', sides: ['app', 'constant'], baseline, of: ({ cpu }) => cpu }),
    cost({
      name: 'Cold start with the lean bundle',
      sides: ['app', 'plain-bundle'],
      baseline: 'plain bundle',
    }),
    cost({ name: 'Cold start without the libraries', sides: ['plain', 'constant'], baseline }),
  ];
}

/** Starts the app and the version before by turns. */
export async function compareColdStarts(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await starts(environment, rounds, ['app', 'before']);
  return [costOf(all, { name: 'Cold start', sides: ['app', 'before'], of: ({ time }) => time })];
}

async function starts(
  environment: Environment,
  rounds: number,
  subjects: Subject[],
): Promise<Record<Subject, Start>[]> {
  await environment.behave({});
  const sides = subjects.map((subject) => [subject, () => startAndAsk(environment, subject)] as const);
  // The warm-up round also builds the subjects, reads the disk and creates the table.
  return byTurns(rounds, Object.fromEntries(sides) as Record<Subject, () => Promise<Start>>);
}

async function startAndAsk(environment: Environment, subject: Subject): Promise<Start> {
  const startedAt = performance.now();
  const worker = await environment.start(subject);
  await load(worker, 1, 1, () => ({ question: randomUUID() }));
  const time = performance.now() - startedAt;
  const cpu = cpuTime(worker.process.pid ?? 0);
  await worker.stop();
  return { time, cpu };
}
