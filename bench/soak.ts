/** The endurance test: `npm run soak`. Mixed load with faults, while a checker compares what the app says and shows. */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readNumber, readOptions } from './harness/options.ts';
import { createRandom } from './harness/random.ts';
import { SoakCaller } from './soak/callers.ts';
import { compareSession } from './soak/compare.ts';
import { possibleFaults, runFaults } from './soak/faults.ts';
import { growthOf, isTooFast, type Sample, takeSample } from './soak/growth.ts';
import { formatReport, type SoakResults, tablesOf, toRows } from './soak/report.ts';
import { type Load, type Outcome, readRunOptions, RUN_OPTIONS, runTest, type Scene } from './soak/run.ts';
import { REQUEST_TIMEOUT_MS } from './soak/stack.ts';

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
  --write       write docs/results/soak.json, for npm run tables
  --help

A full disk is emulated by a limit of the app's file size (prlimit, Linux), and clock jumps inside the app's process; the
clock of the machine is not touched. Without redis-server, the app runs without Redis. Growth is judged from 10 minutes on.
Ctrl-C ends the load early and reports; a second Ctrl-C ends immediately.
Exit code: 0 no violation, 1 a violation, 2 invalid options, 130 stopped with Ctrl-C and no violation.`;

type Options = NonNullable<ReturnType<typeof readSoakOptions>>;

const PROGRESS_MS = 10_000;
const SAMPLES = 400;

/** Runs the test, prints the report and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  const options = readOptions(help, () => readSoakOptions(args));
  if (options) await runTest('soak', options, (scene, stop) => soak(scene, options, stop));
}

function readSoakOptions(args: string[]) {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { ...RUN_OPTIONS, minutes: text, callers: text, pause: text, png: text },
  });
  return {
    ...readRunOptions(values),
    totalMs: Math.round(60_000 * readNumber('minutes', values.minutes ?? '1', [0.05, 720])),
    callers: Math.floor(readNumber('callers', values.callers ?? '10', [1, 200])),
    pauseMs: readNumber('pause', values.pause ?? '150', [0, 60_000]),
    png: values.png,
  };
}

async function soak(scene: Scene, options: Options, stop: AbortSignal): Promise<Outcome> {
  const { totalMs, callers, seed, pauseMs, png } = options;
  const { stack, violations, errors, watch } = scene;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(totalMs)]);
  const load: Load = { ...scene, finished: [], signal, random: createRandom(seed) };
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const samples: Sample[] = [];
  // A terminal sends Ctrl-C to Redis as well.
  stop.addEventListener('abort', () =>
    errors.begin('stopped with Ctrl-C', ['cache_error', 'cache_not_cleared']),
  );
  const callersAt = (index: number) => new SoakCaller({ ...load, random: createRandom(seed + index + 1) });
  await Promise.all([
    ...Array.from({ length: callers }, (_, index) => callersAt(index).run(pauseMs)),
    runFaults(load, possibleFaults(stack.redis !== null), totalMs),
    every(
      Math.max(1000, totalMs / SAMPLES),
      signal,
      async () => void samples.push(await takeSample(stack, seconds())),
    ),
    every(PROGRESS_MS, signal, () => showProgress(seconds(), load)),
  ]);
  const duration = seconds();
  await compareAll(load);
  const stalls = watch.take();
  errors.judge(stalls);
  const growth = growthOf(samples);
  for (const each of growth.filter(isTooFast))
    violations.add('growth', `${each.label}: ${each.perHour.toFixed(1)}/h`);
  const results: SoakResults = {
    seed,
    callers,
    duration,
    redis: stack.redis !== null,
    requests: Object.fromEntries(load.requests),
    sessions_compared: load.finished.length,
    stalls: stalls.length,
    errors_of_stalls: errors.ofStalls,
    faults: toRows(errors.windows, startedAt),
    growth,
    samples,
  };
  if (png !== undefined) {
    // Imported late: the chart library must not take memory from the load.
    const { drawSoak } = await import('./soak/picture.ts');
    writeFileSync(png, drawSoak(results, violations.total));
  }
  const tables = tablesOf(results, violations.total);
  const report = `${stop.aborted ? 'Run stopped early. ' : ''}\n${formatReport(results, tables)}`;
  return { report, results, tables };
}

/** Compares all sessions that were kept, when the last question has certainly ended. */
async function compareAll({ caller, finished, violations }: Load): Promise<void> {
  await delay(REQUEST_TIMEOUT_MS);
  for (const session of finished)
    if (!(await compareSession(session, () => caller.readSession(session.id))))
      violations.add('unexpected error', `${session.id} could not be read at the end`);
}

async function every(ms: number, signal: AbortSignal, act: () => unknown): Promise<void> {
  for (;;) {
    await delay(ms, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await act();
  }
}

function showProgress(at: number, { requests, violations, errors }: Load): void {
  const total = [...requests.values()].reduce((sum, count) => sum + count, 0);
  const now = errors.windows.find(({ offAt }) => offAt === Infinity)?.name ?? 'no fault';
  console.log(
    `${at.toFixed(0).padStart(5)} s  ${total} requests, ${errors.unexplained} unexplained errors, ${violations.total} violations; ${now}`,
  );
}
