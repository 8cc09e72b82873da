/** The endurance test: `npm run soak`. Mixed load with faults, while a checker compares what the app says and shows. */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { INTERRUPTED, onCtrlC } from '../dev/stack/ctrl-c.ts';
import { Caller } from './soak/caller.ts';
import { type Load, SoakCaller } from './soak/callers.ts';
import { compareSession } from './soak/compare.ts';
import { ErrorJudge } from './soak/errors.ts';
import { possibleFaults } from './soak/faults.ts';
import { growthOf, isTooFast } from './soak/growth.ts';
import { readNumber } from './soak/options.ts';
import { createRandom } from './harness/random.ts';
import { formatReport, type SoakResults, toRows } from './soak/report.ts';
import { planOf, runFaults } from './soak/schedule.ts';
import { watchStalls } from './soak/stalls.ts';
import { REQUEST_TIMEOUT_MS, type Stack, startStack } from './soak/stack.ts';
import { type Sample, takeSample } from './soak/usage.ts';
import { Violations } from './soak/violations.ts';

/** The help text. */
export const help = `npm run soak -- [options]

Runs the published app under mixed load, with faults of the model, of storage, of Redis, of the cache file and of the
clock, and compares every answer and every session with its own model of them. Everything runs on this machine, each
service in a process of its own.

  --minutes N   duration, 0.05 to 720 (default 1)
  --callers N   number of concurrent callers, 1 to 200 (default 10)
  --pause MS    mean pause of a caller between two requests, 0 to 60000 (default 150)
  --seed N      repeats the order of faults and requests (default: random, and printed)
  --json FILE   write the results
  --png FILE    draw memory, handles, sockets, event loop delay and cache file size
  --help

A full disk is emulated by a limit of the app's file size (prlimit, Linux), and clock jumps inside the app's process; the
clock of the machine is not touched. Without redis-server, the app runs without Redis. Growth is judged from 10 minutes on.
Ctrl-C ends the load early and reports; a second Ctrl-C ends immediately.
Exit code: 0 no violation, 1 a violation, 2 invalid options, 130 stopped with Ctrl-C and no violation.`;

interface Options {
  totalMs: number;
  callers: number;
  pauseMs: number;
  seed: number;
  json: string | undefined;
  png: string | undefined;
}

const PROGRESS_MS = 10_000;
const SAMPLES = 400;

/** Runs the test, prints the report and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  const unlisten = onCtrlC(() => stop.abort());
  console.log(`Seed ${options.seed}. Starting the app...`);
  const stack = await startStack();
  const violations = new Violations();
  try {
    const results = await soak(stack, options, violations, stop.signal);
    console.log(`\n${formatReport(results, violations)}`);
    if (violations.total > 0) console.log(`\nThe app's last log lines:\n${stack.lastLog}`);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 1)}\n`);
    if (options.png !== undefined) {
      // Imported late: the chart library must not take memory from the load.
      const { drawSoak } = await import('./soak/picture.ts');
      writeFileSync(options.png, drawSoak(results));
    }
    process.exitCode = violations.total > 0 ? 1 : results.interrupted ? INTERRUPTED : 0;
  } finally {
    await stack.stop();
    unlisten();
  }
}

function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { minutes: text, callers: text, pause: text, seed: text, json: text, png: text },
  });
  return {
    totalMs: Math.round(60_000 * readNumber('minutes', values.minutes ?? '1', [0.05, 720])),
    callers: Math.floor(readNumber('callers', values.callers ?? '10', [1, 200])),
    pauseMs: readNumber('pause', values.pause ?? '150', [0, 60_000]),
    seed: Math.floor(
      readNumber('seed', values.seed ?? String(Math.floor(Math.random() * 1e9)), [0, 2 ** 32]),
    ),
    json: values.json,
    png: values.png,
  };
}

async function soak(
  stack: Stack,
  options: Options,
  violations: Violations,
  stop: AbortSignal,
): Promise<SoakResults> {
  const { totalMs, callers, seed, pauseMs } = options;
  const errors = new ErrorJudge(violations);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(totalMs)]);
  const caller = new Caller(() => stack.url, violations);
  const load = { caller, errors, violations, requests: new Map<string, number>(), finished: [], signal };
  const watch = watchStalls();
  const startedAt = performance.now();
  const date = new Date().toISOString();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const samples: Sample[] = [];
  // A terminal sends Ctrl-C to Redis as well.
  stop.addEventListener('abort', () =>
    errors.begin('stopped with Ctrl-C', ['cache_error', 'cache_not_cleared']),
  );
  const callersAt = (index: number) => new SoakCaller({ ...load, random: createRandom(seed + index + 1) });
  const faults = possibleFaults(stack.redis !== null);
  const running = { stack, errors, random: createRandom(seed) };
  await Promise.all([
    ...Array.from({ length: callers }, (_, index) => callersAt(index).run(pauseMs)),
    runFaults(running, faults, { plan: planOf(totalMs), totalMs }, signal),
    every(
      Math.max(1000, totalMs / SAMPLES),
      signal,
      async () => void samples.push(await takeSample(stack, seconds())),
    ),
    every(PROGRESS_MS, signal, () => showProgress(seconds(), load, errors)),
  ]);
  const duration = seconds();
  const compared = await compareAll(load);
  await caller.close();
  const stalls = watch.take();
  watch.stop();
  errors.judge(stalls);
  const growth = growthOf(samples);
  for (const each of growth.filter(isTooFast))
    violations.add('growth', `${each.label}: ${each.perHour.toFixed(1)}/h`);
  return {
    started_at: date,
    node: process.version,
    seed,
    callers,
    duration,
    interrupted: stop.aborted,
    redis: stack.redis !== null,
    requests: Object.fromEntries(load.requests),
    sessions_compared: compared,
    stalls: stalls.length,
    errors_of_stalls: errors.ofStalls,
    violations: Object.fromEntries(violations.counts),
    details: violations.details,
    faults: toRows(errors.windows, startedAt),
    growth,
    samples,
  };
}

/** Compares all sessions that were kept, when the last question has certainly ended. Returns their number. */
async function compareAll({ caller, finished, violations }: Omit<Load, 'random'>): Promise<number> {
  await delay(REQUEST_TIMEOUT_MS);
  for (const session of finished) {
    if (!(await compareSession(session, () => caller.readSession(session.id))))
      violations.add('unexpected error', `${session.id} could not be read at the end`);
  }
  return finished.length;
}

async function every(ms: number, signal: AbortSignal, act: () => unknown): Promise<void> {
  for (;;) {
    await delay(ms, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await act();
  }
}

function showProgress(at: number, { requests, violations }: Omit<Load, 'random'>, errors: ErrorJudge): void {
  const { windows, unexplained } = errors;
  const total = [...requests.values()].reduce((sum, count) => sum + count, 0);
  const faulty = windows
    .flatMap((window) => [...window.errors.values()])
    .reduce((sum, count) => sum + count, 0);
  const now = windows.find(({ offAt }) => offAt === Infinity)?.name ?? 'no fault';
  console.log(
    `${at.toFixed(0).padStart(5)} s  ${total} requests, ${faulty} errors of faults, ${unexplained} unexplained, ${violations.total} violations; ${now}`,
  );
}
