/** Time from the start of a process to its first uncached answer. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';

/** The baselines, and the ratios to them that are the target. */
const BASELINES = {
  constant: { baseline: 'constant function', target: 1.2 },
  before: { baseline: 'before', target: null },
};

/** Starts the app and the constant function, or the version before, by turns, with a model without latency. */
export async function measureColdStart(environment: Environment, rounds: number): Promise<Cost[]> {
  const other = environment.comparesVersions ? 'before' : 'constant';
  const all = await byTurns(rounds, {
    other: () => startAndAsk(environment, other),
    app: () => startAndAsk(environment, 'app'),
  });
  const name = 'Cold start, to the first uncached answer';
  return [costOf(all, { name, ...BASELINES[other], sides: ['app', 'other'], of: itself })];
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
