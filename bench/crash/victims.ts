/** What dies in a round of `npm run crash`, and how it comes back. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../soak/run.ts';

/** `stop` is SIGTERM to the app; the others are killed. */
export type Victim = 'app' | 'storage' | 'redis' | 'stop';

/** How the table names them. */
export const NAMES: Record<Victim, string> = {
  app: 'app killed',
  storage: 'storage killed',
  redis: 'Redis killed',
  stop: 'app stopped (SIGTERM)',
};

/** What the victims need. */
interface DeathScene extends Scene {
  /** Lets the callers end; resolves when the last response has ended. */
  endLoad: () => Promise<void>;
}

/** How long storage and Redis stay away. */
const AWAY_MS = 400;
/** How long the callers go on afterwards. */
const AFTER_MS = 1000;
/** The app ends open requests within 4 s after the signal, and the host the process within 5 s (docs/faults.md). */
const ENDED_WITHIN_MS = 4000;
const EXIT_WITHIN_MS = 5000;
/** Share of the model's answers that hang when the app is stopped, so that there is something to end. */
const HANGING = 0.1;

/** Every fifth round stops the app, every third of the others kills storage or Redis in turn. */
export function victimOf(round: number, hasRedis: boolean): Victim {
  if (round % 5 === 0) return 'stop';
  if (round % 3 !== 0) return 'app';
  return hasRedis && round % 2 === 0 ? 'redis' : 'storage';
}

/** Carries out a death and the return, while the callers ask. Afterwards no question is in flight. */
export const DEATHS: Record<Victim, (scene: DeathScene) => Promise<void>> = {
  async app({ stack, caller, errors, endLoad }) {
    caller.downFrom = 0;
    await stack.killApp();
    await endLoad();
    await stack.startApp();
    caller.downFrom = Infinity;
    // A repeat waits for the lease of the process that died, and its own deadline may be earlier: docs/faults.md.
    errors.begin('app killed', ['timeout']).offAt = performance.now();
  },
  storage: (scene) =>
    leave(scene, ['history_unavailable', 'history_not_read', 'history_not_saved', 'timeout'], {
      stop: () => scene.stack.stopStorage(),
      start: () => scene.stack.startStorage(),
    }),
  redis: (scene) =>
    leave(scene, ['cache_error'], {
      stop: () => scene.stack.killRedis(),
      start: () => scene.stack.startRedis(),
    }),
  async stop({ stack, caller, errors, violations, watch, endLoad }) {
    const { services } = stack;
    const { process: child } = stack.app;
    await services.send({ type: 'fault', fault: { kind: 'hang' }, share: HANGING });
    await delay(AWAY_MS);
    const window = errors.begin('app stopped', ['stopping', 'timeout']);
    const exited = once(child, 'exit');
    const signalledAt = performance.now();
    // A request that is on its way at this moment may meet a closed connection.
    caller.downFrom = signalledAt - 100;
    child.kill('SIGTERM');
    const [[code]] = await Promise.all([
      exited.then((result) => (late('the process', EXIT_WITHIN_MS), result as [number | null])),
      endLoad().then(() => late('the last response', ENDED_WITHIN_MS)),
    ]);
    function late(what: string, limitMs: number): void {
      const tookMs = performance.now() - signalledAt;
      // A machine that is busy with other programs stops nothing in time.
      if (tookMs > limitMs + watch.lostMs(signalledAt))
        violations.add('late stop', `${what} ended ${tookMs.toFixed(0)} ms after SIGTERM`);
    }
    if (code !== 0) violations.add('late stop', `the exit code after SIGTERM was ${code}`);
    await services.send({ type: 'fault', fault: { kind: 'hang' }, share: 0 });
    window.offAt = performance.now();
    await stack.startApp();
    caller.downFrom = Infinity;
  },
};

/** A service dies and comes back, while the callers go on. */
async function leave(
  { errors, endLoad }: DeathScene,
  allows: string[],
  { stop, start }: Record<'stop' | 'start', () => Promise<void>>,
): Promise<void> {
  const window = errors.begin('service killed', allows);
  await stop();
  await delay(AWAY_MS);
  await start();
  window.offAt = performance.now();
  await delay(AFTER_MS);
  await endLoad();
}
