/** The measured values of docs/performance.json that the simulation uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../dev/stack/root.ts';
import { type Cost, median } from '../harness/cost.ts';

/** Reads the medians. @throws Error when the file lacks one of them. */
function readMeasured() {
  const file = join(root, 'docs', 'performance.json');
  const { costs } = JSON.parse(readFileSync(file, 'utf8')) as { costs: Cost[] };
  const of = (name: string): number => {
    const cost = costs.find((each) => each.name === name);
    if (!cost) throw new Error(`${file} has no "${name}".`);
    return median(cost.rounds.map(({ app }) => app));
  };
  return {
    /** From the start of a process to its first uncached answer, in milliseconds. */
    coldStartMs: of('Cold start, to the first uncached answer'),
    /** CPU time of a question in milliseconds. */
    cpu: {
      cached: of('CPU, cached, new session'),
      known: of('CPU, cached, session with 10 interactions'),
      asked: of('CPU, asked, model at 0 ms'),
      streamed: of('CPU, streamed, 200 tokens'),
    },
    /** Peak memory of a process with 200 questions in progress, in MB. */
    memoryMB: of('Memory, 200 connections, model at 200 ms'),
  };
}

/** Medians of the last run of `npm run bench -- --write`. */
export const MEASURED = readMeasured();
