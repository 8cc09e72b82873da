/** The crash test: `npm run crash`. Processes die under load; what the app said before is compared with what it then has. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { askSharedAgain, checkFile, compareAll, readStates, repeatAll } from './crash/after.ts';
import { CrashCaller } from './crash/caller.ts';
import { DEATHS, NAMES, type Victim, victimOf } from './crash/victims.ts';
import { readNumber, readOptions } from './harness/options.ts';
import { createRandom } from './harness/random.ts';
import { formatTable } from './harness/results.ts';
import { type Load, type Outcome, readRunOptions, RUN_OPTIONS, runTest, type Scene } from './soak/run.ts';

/** The help text. */
export const help = `npm run crash -- [options]

Lets processes die under load, starts them again, and compares: what was answered as stored is there once and in order,
the state of each answer with an Idempotency-Key says within 15 s what became of it, repeats with the key ask and store
once, and the cache is never wrong. Everything runs on this machine. Most rounds kill the app (SIGKILL), every third one
kills storage (its data is kept) or Redis, every fifth one stops the app (SIGTERM).

  --times N    number of rounds, 1 to 1000 (default 10)
  --seed N     repeats the choice of questions and of the times of death (default: random, and printed)
  --json FILE  write the results
  --write      write docs/results/crash.json, for npm run tables
  --help

Without redis-server, the app runs without Redis. Ctrl-C ends the test after the current round and reports; a second
Ctrl-C ends immediately.
Exit code: 0 no violation, 1 a violation, 2 invalid options, 130 stopped with Ctrl-C and no violation.`;

const CALLERS = 6;
/** Load before the death. */
const LOAD_MS = { min: 500, more: 1000 };

/** The results of one round. */
interface Round {
  victim: Victim;
  /** Requests by what became of them: `done`, `error`, `gone`. */
  requests: Record<string, number>;
  /** Sessions that were compared. */
  sessions: number;
  /** Questions that were repeated with their Idempotency-Key. */
  repeats: number;
  /** Answers to questions with a key after the crash, by their state. */
  states: Record<string, number>;
  /** Answers after the crash, by the cache tier that had them, or by the result of the search. */
  cache: Record<string, number>;
}

/** Runs the rounds, prints the table and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  const options = readOptions(help, () => {
    const { values } = parseArgs({ args, options: { ...RUN_OPTIONS, times: { type: 'string' } } });
    const times = Math.floor(readNumber('times', values.times ?? '10', [1, 1000]));
    return { ...readRunOptions(values), times };
  });
  if (options) await runTest('crash', options, (scene, stop) => crash(scene, options, stop));
}

async function crash(
  scene: Scene,
  { times, seed }: { times: number; seed: number },
  stop: AbortSignal,
): Promise<Outcome> {
  const random = createRandom(seed);
  const rounds: Round[] = [];
  while (rounds.length < times && !stop.aborted) {
    const number = rounds.length + 1;
    const victim = victimOf(number, scene.stack.redis !== null);
    const loading = new AbortController();
    const load: Load = { ...scene, random, requests: new Map(), finished: [], signal: loading.signal };
    rounds.push(await playRound(load, { victim, number, end: () => loading.abort() }));
    scene.errors.judge(scene.watch.take());
    console.log(`${String(number).padStart(4)} of ${times}: ${victim}, ${scene.violations.total} violations`);
  }
  const table = tableOf(rounds);
  return {
    report: `${rounds.length} rounds\n${formatTable(table)}`,
    results: { rounds },
    tables: { crash: table },
  };
}

async function playRound(
  load: Load,
  { victim, number, end }: { victim: Victim; number: number; end: () => void },
): Promise<Round> {
  const callers = Array.from({ length: CALLERS }, () => new CrashCaller(load, number));
  const asking = Promise.all(callers.map((each) => each.run()));
  await delay(LOAD_MS.min + LOAD_MS.more * load.random());
  const endLoad = async (): Promise<void> => {
    end();
    await asking;
  };
  await DEATHS[victim]({ ...load, endLoad });
  const keyed = callers.flatMap((each) => each.keyed);
  const sessions = callers.flatMap((each) => each.sessions);
  const states = await readStates(load, keyed);
  await repeatAll(load, keyed);
  await compareAll(load, sessions);
  const cache = await askSharedAgain(load, number);
  await checkFile(load);
  const requests = Object.fromEntries(load.requests);
  return { victim, requests, sessions: sessions.length, repeats: keyed.length, states, cache };
}

/** One line for each victim, all its rounds together. */
function tableOf(rounds: readonly Round[]): string[][] {
  const rows = Object.entries(Object.groupBy(rounds, ({ victim }) => victim)).map(([victim, some]) => [
    NAMES[victim as Victim],
    String(some.length),
    listOf(some.map(({ requests }) => requests)),
    listOf(some.map(({ sessions, repeats }) => ({ sessions, repeats }))),
    listOf(some.map(({ states }) => states)),
    listOf(some.map(({ cache }) => cache)),
  ]);
  return [['Victim', 'Rounds', 'Requests', 'Compared', 'Answers with a key', 'Cache afterwards'], ...rows];
}

/** Adds up the counts, and lists them. */
function listOf(counts: readonly Record<string, number>[]): string {
  const total: Record<string, number> = {};
  for (const [name, value] of counts.flatMap(Object.entries) as [string, number][])
    total[name] = (total[name] ?? 0) + value;
  return Object.entries(total)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
