/** Time from the start of a process to its first uncached answer. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';

/** Starts the app and the constant function by turns, with a model without latency. */
export async function measureColdStart(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await byTurns(rounds, {
    constant: () => startAndAsk(environment, 'constant'),
    app: () => startAndAsk(environment, 'app'),
  });
  const name = 'Cold start, to the first uncached answer';
  const baseline = 'constant function';
  return [costOf(all, { name, baseline, sides: ['app', 'constant'], target: 1.2, of: itself })];
}

/** Starts the app and the version before by turns. */
export async function compareColdStarts(environment: Environment, rounds: number): Promise<Cost[]> {
  const all = await byTurns(rounds, {
    before: () => startAndAsk(environment, 'before'),
    app: () => startAndAsk(environment, 'app'),
  });
  return [costOf(all, { name: 'Cold start', sides: ['app', 'before'], of: itself })];
}

/**
 * Gives the milliseconds from the start of the process to the answer. The warm-up round also builds the subject, reads the
 * disk and creates the table.
 */
async function startAndAsk(environment: Environment, subject: Subject): Promise<number> {
  await environment.behave({});
  const startedAt = performance.now();
  const worker = await environment.start(subject);
  await load(worker, 1, 1, () => ({ question: randomUUID() }));
  const time = performance.now() - startedAt;
  await worker.stop();
  return time;
}
