/** The crash test: `npm run crash`. Processes die under load; what the app said before is compared with what it then has. */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { INTERRUPTED, onCtrlC } from '../dev/stack/ctrl-c.ts';
import { askSharedAgain, checkFile, compareAll, repeatAll } from './crash/after.ts';
import { CrashCaller } from './crash/caller.ts';
import { formatRounds, type Round } from './crash/report.ts';
import { DEATHS, type Victim, victimOf } from './crash/victims.ts';
import { Caller } from './soak/caller.ts';
import type { Load } from './soak/callers.ts';
import { ErrorJudge } from './soak/errors.ts';
import { readNumber } from './soak/options.ts';
import { createRandom } from './harness/random.ts';
import { type StallWatch, watchStalls } from './soak/stalls.ts';
import { type Stack, startStack } from './soak/stack.ts';
import { type Kind, Violations } from './soak/violations.ts';

/** The help text. */
export const help = `npm run crash -- [options]

Lets processes die under load, starts them again, and compares: what was answered as stored is there once and in order,
repeats with an Idempotency-Key ask and store once, and the cache is never wrong. Everything runs on this machine. Most
rounds kill the app (SIGKILL), every third one kills storage (its data is kept) or Redis, every fifth one stops the app
(SIGTERM).

  --times N    number of rounds, 1 to 1000 (default 10)
  --seed N     repeats the choice of questions and of the times of death (default: random, and printed)
  --json FILE  write the results
  --help

Without redis-server, the app runs without Redis. Ctrl-C ends the test after the current round and reports; a second
Ctrl-C ends immediately.
Exit code: 0 no violation, 1 a violation, 2 invalid options, 130 stopped with Ctrl-C and no violation.`;

const CALLERS = 6;
/** Load before the death. */
const LOAD_MS = { min: 500, more: 1000 };
const CRASH_KINDS = [
  'lost',
  'doubled',
  'reordered',
  'foreign',
  'wrong',
  'wrong cached',
  'asked again',
  'unusable',
  'late stop',
  'undocumented',
  'unexpected error',
] as const satisfies readonly Kind[];

/** Runs the rounds, prints the table and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  let options: { times: number; seed: number; json: string | undefined };
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args, options: { times: text, seed: text, json: text } });
    const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
    options = {
      times: Math.floor(readNumber('times', values.times ?? '10', [1, 1000])),
      seed: Math.floor(readNumber('seed', seed, [0, 2 ** 32])),
      json: values.json,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  const unlisten = onCtrlC(() => stop.abort());
  console.log(`Seed ${options.seed}. Starting the app...`);
  const stack = await startStack();
  const startedAt = new Date().toISOString();
  try {
    const violations = new Violations();
    const rounds = await crash(stack, options, violations, stop.signal);
    console.log(`\n${formatRounds(rounds)}\n\n${violations.format(CRASH_KINDS)}`);
    if (violations.total > 0) console.log(`\nThe app's last log lines:\n${stack.lastLog}`);
    const { counts, details } = violations;
    const results = { started_at: startedAt, node: process.version, seed: options.seed, rounds };
    if (options.json !== undefined) {
      const content = { ...results, violations: Object.fromEntries(counts), details };
      writeFileSync(options.json, `${JSON.stringify(content, null, 1)}\n`);
    }
    process.exitCode = violations.total > 0 ? 1 : stop.signal.aborted ? INTERRUPTED : 0;
  } finally {
    await stack.stop();
    unlisten();
  }
}

async function crash(
  stack: Stack,
  { times, seed }: { times: number; seed: number },
  violations: Violations,
  stop: AbortSignal,
): Promise<Round[]> {
  const errors = new ErrorJudge(violations);
  const watch = watchStalls();
  const caller = new Caller(() => stack.url, violations);
  const random = createRandom(seed);
  const rounds: Round[] = [];
  while (rounds.length < times && !stop.aborted) {
    const number = rounds.length + 1;
    const victim = victimOf(number, stack.redis !== null);
    const loading = new AbortController();
    const shared = { caller, errors, violations, random, requests: new Map(), finished: [] };
    const load: Load = { ...shared, signal: loading.signal };
    rounds.push(await playRound(stack, load, { victim, number, watch, end: () => loading.abort() }));
    errors.judge(watch.take());
    console.log(`${String(number).padStart(4)} of ${times}: ${victim}, ${violations.total} violations`);
  }
  watch.stop();
  await caller.close();
  return rounds;
}

async function playRound(
  stack: Stack,
  load: Load,
  { victim, number, watch, end }: { victim: Victim; number: number; watch: StallWatch; end: () => void },
): Promise<Round> {
  const callers = Array.from({ length: CALLERS }, () => new CrashCaller(load, number));
  const asking = Promise.all(callers.map((each) => each.run()));
  await delay(LOAD_MS.min + LOAD_MS.more * load.random());
  const endLoad = async (): Promise<void> => {
    end();
    await asking;
  };
  await DEATHS[victim]({ stack, ...load, watch, endLoad });
  const keyed = callers.flatMap((each) => each.keyed);
  const sessions = callers.flatMap((each) => each.sessions);
  await repeatAll(load, stack, keyed);
  await compareAll(load, sessions);
  const cache = await askSharedAgain(load, number);
  await checkFile(load, stack);
  return {
    victim,
    requests: Object.fromEntries(load.requests),
    sessions: sessions.length,
    repeats: keyed.length,
    cache,
  };
}
