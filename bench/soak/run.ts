/** What `npm run soak` and `npm run crash` have in common: the app, its checker, the report and the exit code. */
import { writeFileSync } from 'node:fs';
import { INTERRUPTED, onCtrlC } from '../../dev/stack/ctrl-c.ts';
import { readNumber } from '../harness/options.ts';
import type { Random } from '../harness/random.ts';
import { writeResults } from '../harness/results.ts';
import { Caller } from './caller.ts';
import type { SessionModel } from './checker.ts';
import { ErrorJudge } from './errors.ts';
import { Stack } from './stack.ts';
import { type StallWatch, watchStalls } from './stalls.ts';
import { Violations } from './violations.ts';

/** What a test plays with. */
export interface Scene {
  stack: Stack;
  caller: Caller;
  errors: ErrorJudge;
  violations: Violations;
  watch: StallWatch;
  /** Number of requests so far, by kind. */
  requests: Map<string, number>;
}

/** What the callers share. */
export interface Load extends Scene {
  random: Random;
  /** Sessions that were not deleted, for the comparison at the end. */
  finished: SessionModel[];
  /** Aborts when no further request may be sent. */
  signal: AbortSignal;
}

/** How a test is run. */
export interface RunOptions {
  seed: number;
  /** File for the whole results. */
  json: string | undefined;
  /** Whether to write the results for the documents. */
  write: boolean;
}

/** What a test has found beside violations. */
export interface Outcome {
  report: string;
  results: object;
  tables: Record<string, string[][]>;
}

/** The options that both tests have. */
export const RUN_OPTIONS = {
  seed: { type: 'string' },
  json: { type: 'string' },
  write: { type: 'boolean', default: false },
} as const;

/** Reads them. @throws Error that names the option */
export function readRunOptions(values: { seed?: string; json?: string; write: boolean }): RunOptions {
  const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
  const { json, write } = values;
  return { seed: Math.floor(readNumber('seed', seed, [0, 2 ** 32])), json, write };
}

/** Starts everything, plays the test `name`, prints its report and sets the exit code. */
export async function runTest(
  name: string,
  { seed, json, write }: RunOptions,
  play: (scene: Scene, stop: AbortSignal) => Promise<Outcome>,
): Promise<void> {
  const stop = new AbortController();
  const unlisten = onCtrlC(() => stop.abort());
  console.log(`Seed ${seed}. Starting the app...`);
  const startedAt = new Date().toISOString();
  const stack = await new Stack().start();
  const violations = new Violations();
  const caller = new Caller(stack.app.url, violations);
  const watch = watchStalls();
  const errors = new ErrorJudge(violations);
  try {
    const scene = { stack, caller, errors, violations, watch, requests: new Map<string, number>() };
    const { report, results, tables } = await play(scene, stop.signal);
    console.log(`\n${report}\n\n${violations.format()}`);
    if (violations.total > 0) console.log(`\nThe app's last log lines:\n${stack.lastLog}`);
    const { counts, details } = violations;
    const run = { started_at: startedAt, node: process.version, seed, interrupted: stop.signal.aborted };
    const found = { violations: Object.fromEntries(counts), details };
    if (json !== undefined)
      writeFileSync(json, `${JSON.stringify({ ...run, ...results, ...found }, null, 1)}\n`);
    if (write) writeResults(name, { tables });
    process.exitCode = violations.total > 0 ? 1 : stop.signal.aborted ? INTERRUPTED : 0;
  } finally {
    watch.stop();
    await caller.close();
    await stack.stop();
    unlisten();
  }
}
