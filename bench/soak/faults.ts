/** The faults of `npm run soak`: how each begins and ends, the errors that it may cause, and when it is on. */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../../dev/azure-openai-emulator/faults.ts';
import { findProgram } from '../../dev/stack/child-process.ts';
import { shuffle } from '../harness/random.ts';
import type { GateMode } from '../harness/storage-gate.ts';
import type { Load } from './run.ts';
import type { Stack } from './stack.ts';

/** A fault. `allows` are codes of errors, and the degradations `history_not_read`, `history_not_saved`, `cache_error`. */
interface SoakFault {
  name: string;
  allows: readonly string[];
  /** Begins the fault. It lasts `ms` milliseconds, until `off` is called. */
  on(stack: Stack, ms: number): Promise<unknown> | void;
  off(stack: Stack): Promise<unknown> | void;
}

// docs/faults.md lists what each fault may cause. A failing model or storage also makes /health/ready a 503.
const MODEL = ['model_unavailable', 'circuit_open', 'not_ready'];
const STORAGE = ['history_unavailable', 'history_not_read', 'history_not_saved', 'not_ready', 'timeout'];
const CACHE = ['cache_error', 'cache_not_cleared'];
const CLOCK_MS = 600_000;
const RATE_LIMITED: Fault = { kind: 'status', status: 429, retryAfterMs: '400' };

const ofModel = (name: string, fault: Fault, allows: readonly string[], share = 1): SoakFault => ({
  name,
  allows,
  on: ({ services }) => services.send({ type: 'fault', fault, share }),
  off: ({ services }) => services.send({ type: 'fault', fault, share: 0 }),
});

const ofGate = (name: string, mode: GateMode): SoakFault => ({
  name,
  allows: STORAGE,
  on: ({ services }) => services.send({ type: 'gate', mode }),
  off: ({ services }) => services.send({ type: 'gate', mode: 'open' }),
});

const ofClock = (name: string, offsetMs: number): SoakFault => ({
  name,
  // A lease that has ended too early lets another request take over the claim: docs/faults.md.
  allows: ['history_not_saved'],
  on: (stack) => void stack.tellApp({ type: 'clock', offsetMs }),
  off: (stack) => void stack.tellApp({ type: 'clock', offsetMs: 0 }),
});

/** Stops a process without its knowledge, as a machine that hangs. */
const ofFreezing = (
  name: string,
  allows: readonly string[],
  pidOf: (stack: Stack) => number | undefined,
): SoakFault => ({
  name,
  allows,
  on: (stack) => void process.kill(pidOf(stack) ?? 0, 'SIGSTOP'),
  off: (stack) => void process.kill(pidOf(stack) ?? 0, 'SIGCONT'),
});

const ofFile = (name: string, change: (file: string) => void): SoakFault => ({
  name,
  allows: CACHE,
  on: ({ cacheFile }) => change(cacheFile),
  off: () => {},
});

const MODEL_FAULTS: readonly SoakFault[] = [
  ofModel('model: 429', RATE_LIMITED, ['model_rate_limited', 'not_ready']),
  ofModel('model: 500', { kind: 'status', status: 500 }, MODEL),
  ofModel('model: some 500', { kind: 'status', status: 500 }, MODEL, 0.3),
  ofModel('model: resets', { kind: 'reset' }, MODEL, 0.5),
  ofModel('model: half answers', { kind: 'break' }, MODEL, 0.3),
  ofModel('model: hangs', { kind: 'hang' }, [...MODEL, 'timeout'], 0.5),
  ofModel('model: garbage', { kind: 'garbage' }, MODEL, 0.5),
  ofModel('model: GOAWAY', { kind: 'goaway' }, MODEL, 0.3),
  ofModel('model: lost connections', { kind: 'lose_connection' }, MODEL, 0.1),
  {
    name: 'model: down',
    allows: [...MODEL, 'timeout'],
    on: ({ services }, ms) => services.send({ type: 'pause', ms }),
    off: () => {},
  },
];

const STORAGE_FAULTS: readonly SoakFault[] = [
  ofGate('storage: throttled', 'throttled'),
  ofGate('storage: lost responses', 'lossy'),
  ofFreezing('storage: hangs', STORAGE, ({ azurite }) => azurite.process.pid),
  {
    name: 'storage: restarted',
    allows: STORAGE,
    on: (stack) => stack.stopStorage(),
    off: (stack) => stack.startStorage(),
  },
];

const REDIS_FAULTS: readonly SoakFault[] = [
  {
    name: 'redis: gone',
    allows: CACHE,
    on: (stack) => stack.killRedis(),
    off: (stack) => stack.startRedis(),
  },
  ofFreezing('redis: hangs', CACHE, ({ redis }) => redis?.process.pid),
];

const FILE_FAULTS: readonly SoakFault[] = [
  // The whole file, because SQLite has no checksums: it could not notice a changed byte within an answer.
  ofFile('cache file: broken', (file) => writeFileSync(file, 'This is not a database. '.repeat(2000))),
  ofFile('cache file: removed', (file) =>
    ['', '-wal', '-shm'].forEach((suffix) => rmSync(file + suffix, { force: true })),
  ),
];

/**
 * The system refuses to extend files beyond 64 kB: the nearest to a full disk that needs no rights. Only the soft limit
 * of this one process is changed, which it may raise again.
 */
const DISK_FAULT: SoakFault = {
  name: 'disk: full',
  allows: CACHE,
  on: ({ app }) => void limitFiles(app.process.pid, '65536'),
  off: ({ app }) => void limitFiles(app.process.pid, 'unlimited'),
};

const limitFiles = (pid: number | undefined, bytes: string) =>
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);

/** The faults that this machine can have. Windows has no signals, and its open files cannot be replaced. */
export function possibleFaults(hasRedis: boolean): SoakFault[] {
  const isPosix = process.platform !== 'win32';
  return [
    ...MODEL_FAULTS,
    ...STORAGE_FAULTS.filter(({ name }) => isPosix || !name.endsWith('hangs')),
    ...(hasRedis ? REDIS_FAULTS : []),
    ...(isPosix ? FILE_FAULTS : []),
    ...(existsSync('/proc/self/limits') && findProgram('prlimit') !== undefined ? [DISK_FAULT] : []),
    ofClock('clock: 10 min ahead', CLOCK_MS),
    ofClock('clock: 10 min back', -CLOCK_MS),
  ];
}

/**
 * Turns the faults on and off, one at a time, in a random order, until the rest of a run of `totalMs` begins or the load
 * ends. In a long run a fault takes 10 s and the next one comes 20 s later, so that the breaker (10 s), the cache file
 * (15 s) and Redis (5 s) recover between them, and nothing of one fault is counted as the other's.
 */
export async function runFaults(
  { stack, errors, random, signal }: Load,
  faults: readonly SoakFault[],
  totalMs: number,
): Promise<void> {
  const part = Math.min(1, totalMs / 600_000);
  const faultMs = Math.max(1000, 10_000 * part);
  const endAt = performance.now() + totalMs - Math.min(30_000, totalMs / 5);
  const wait = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});
  await wait(Math.min(5000, totalMs / 10));
  let queue: SoakFault[] = [];
  while (!signal.aborted && performance.now() + faultMs <= endAt) {
    if (queue.length === 0) queue = shuffle(faults, random);
    const fault = queue.pop();
    if (!fault) return;
    const window = errors.begin(fault.name, fault.allows);
    await fault.on(stack, faultMs);
    await wait(faultMs);
    await fault.off(stack);
    window.offAt = performance.now();
    await wait(Math.max(1000, 20_000 * part));
  }
}
