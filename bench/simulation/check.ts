/** Compares the simulation with app processes on this machine: `npm run bench:simulate -- --check`. Linux only. */
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { HostProcess } from '../../dev/stack/host-process.ts';
import { type Arena, withArena } from '../harness/contestants.ts';
import { load } from '../harness/load.ts';
import { cpuTime, machineCpuTime } from '../harness/process-usage.ts';
import { type LocalCpu, type LocalOutcome, simulateLocal } from './check-model.ts';

const MODEL_MS = 200;
const WARM_UP = 2400;
const QUESTIONS = 800;
/** App processes and callers: below the limit of the machine, and at it. */
const SETUPS = [
  { processes: 1, callers: 20 },
  { processes: 2, callers: 20 },
  { processes: 1, callers: 150 },
  { processes: 2, callers: 150 },
  { processes: 4, callers: 150 },
];
const MAX_PROCESSES = 4;
/** No set-up is begun later than this, so that the whole check ends within two minutes. */
const LAST_START_MS = 80_000;
/** Measured and simulated values may differ by these factors. */
const TOLERANCE = { perSecond: 1.25, p50: 1.25, p95: 1.5 } as const;
/** Share of the cores that other programs must leave for a judgement: how they are scheduled is not simulated. */
const MIN_LEFT = 0.67;

const ask = () => ({ question: randomUUID() });

/** Measures and simulates each set-up, and prints both. The exit code is 1 when they differ too much, or were not judged. */
export async function check(): Promise<void> {
  const startedAt = performance.now();
  let interrupted = false;
  const interrupt = (): void => void (interrupted = true);
  process.once('SIGINT', interrupt);
  let done = 0;
  try {
    await withApps(async (arena, apps) => {
      for (const { processes, callers } of SETUPS) {
        if (interrupted || performance.now() - startedAt > LAST_START_MS) return;
        compare(await measure(arena, apps.slice(0, processes), callers));
        done++;
      }
    });
  } catch (error) {
    if (!interrupted) throw error;
  } finally {
    process.off('SIGINT', interrupt);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.log(`${done} of ${SETUPS.length} set-ups in ${seconds} s`);
    if (done < SETUPS.length) process.exitCode = interrupted ? 130 : 1;
  }
}

/** Starts processes of the published app, which share storage and the model, and warms them up. */
async function withApps(use: (arena: Arena, apps: HostProcess[]) => Promise<void>): Promise<void> {
  const inArena = async (arena: Arena): Promise<void> => {
    const apps: HostProcess[] = [];
    try {
      while (apps.length < MAX_PROCESSES) apps.push(await arena.startHost('app'));
      await load(apps, 20, WARM_UP, ask);
      await arena.emulator.behave({ latencyMs: MODEL_MS });
      await use(arena, apps);
    } finally {
      await Promise.all(apps.map((app) => app.stop()));
    }
  };
  await withArena(inArena, ['app']);
}

/** A measured set-up. */
interface Measurement {
  processes: number;
  callers: number;
  outcome: LocalOutcome;
  cpu: LocalCpu;
  /** Cores that other programs left. */
  left: number;
}

/** Asks the apps in turn. The CPU time of each process is an input of the simulation, the rest is compared. */
async function measure(arena: Arena, apps: HostProcess[], callers: number): Promise<Measurement> {
  const read = () => ({
    machine: machineCpuTime(),
    app: apps.reduce((total, app) => total + cpuTime(app.process.pid ?? 0), 0),
    storage: cpuTime(arena.azurite),
    model: cpuTime(arena.emulator.pid),
    caller: cpuTime(process.pid),
  });
  const before = read();
  const { times, durationMs } = await load(apps, callers, QUESTIONS, ask);
  const after = read();
  const perQuestion = (name: keyof LocalCpu): number => (after[name] - before[name]) / QUESTIONS;
  const cpu = {
    app: perQuestion('app'),
    storage: perQuestion('storage'),
    model: perQuestion('model'),
    caller: perQuestion('caller'),
  };
  const ours = QUESTIONS * (cpu.app + cpu.storage + cpu.model + cpu.caller);
  const others = Math.max(0, after.machine - before.machine - ours) / durationMs;
  const cores = availableParallelism();
  return {
    processes: apps.length,
    callers,
    outcome: { perSecond: QUESTIONS / (durationMs / 1000), times },
    cpu,
    left: Math.max(0.25, cores - others),
  };
}

/** Prints the measured and the simulated values. */
function compare({ outcome: measured, ...setup }: Measurement): void {
  // Less than one core that is left is shared by all processes: one alone may use all of it.
  const cores = Math.ceil(setup.left);
  const slowdown = cores / setup.left;
  const simulated = simulateLocal({ ...setup, cores, slowdown, questions: QUESTIONS, modelMs: MODEL_MS });
  const cpu = Object.entries(setup.cpu).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
  console.log(
    `${setup.processes} process(es), ${setup.callers} callers. Measured CPU ms of a question: ${cpu.join(', ')}; ` +
      `cores that other programs left: ${setup.left.toFixed(2)}`,
  );
  const rows = [
    ['perSecond', 'questions/s', measured.perSecond, simulated.perSecond],
    ['p50', 'p50 ms', measured.times.p50, simulated.times.p50],
    ['p95', 'p95 ms', measured.times.p95 ?? 0, simulated.times.p95 ?? 0],
  ] as const;
  for (const [name, label, real, model] of rows) {
    const ratio = model / real;
    const isNear = Math.max(ratio, 1 / ratio) <= TOLERANCE[name];
    const isJudged = setup.left >= MIN_LEFT * availableParallelism();
    if (!isNear || !isJudged) process.exitCode = 1;
    const verdict = isJudged
      ? isNear
        ? ''
        : `, OUTSIDE ${TOLERANCE[name]}`
      : ', not judged: other programs run';
    console.log(
      `  ${label.padEnd(12)}measured ${real.toFixed(0)}, simulated ${model.toFixed(0)}, ratio ${ratio.toFixed(2)}${verdict}`,
    );
  }
}
