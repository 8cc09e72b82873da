/** Turns the faults on and off, one at a time, in a random order that the seed repeats. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorJudge } from './errors.ts';
import type { SoakFault } from './faults.ts';
import { type Random, shuffle } from '../harness/random.ts';
import type { Stack } from './stack.ts';

/** When the faults are, in milliseconds. */
export interface Plan {
  /** Before the first fault. */
  warmUpMs: number;
  faultMs: number;
  /** Between two faults. */
  pauseMs: number;
  /** After the last fault. */
  restMs: number;
}

/**
 * Plans a run of `totalMs`. In a long run a fault takes 10 s and the next one comes 20 s later, so that the breaker
 * (10 s), the cache file (15 s) and Redis (5 s) recover between them, and nothing of one fault is counted as the other's.
 */
export function planOf(totalMs: number): Plan {
  const part = Math.min(1, totalMs / 600_000);
  return {
    warmUpMs: Math.min(5000, totalMs / 10),
    faultMs: Math.max(1000, 10_000 * part),
    pauseMs: Math.max(1000, 20_000 * part),
    restMs: Math.min(30_000, totalMs / 5),
  };
}

/** Runs faults until the plan's rest begins, or until `signal` aborts. Ends the fault that is on. */
export async function runFaults(
  { stack, errors, random }: { stack: Stack; errors: ErrorJudge; random: Random },
  faults: readonly SoakFault[],
  { plan, totalMs }: { plan: Plan; totalMs: number },
  signal: AbortSignal,
): Promise<void> {
  const endAt = performance.now() + totalMs - plan.restMs;
  const wait = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});
  await wait(plan.warmUpMs);
  let queue: SoakFault[] = [];
  while (!signal.aborted && performance.now() + plan.faultMs <= endAt) {
    if (queue.length === 0) queue = shuffle(faults, random);
    const fault = queue.pop();
    if (!fault) return;
    const window = errors.begin(fault.name, fault.allows);
    await fault.on(stack, plan.faultMs);
    await wait(plan.faultMs);
    await fault.off(stack);
    window.offAt = performance.now();
    await wait(plan.pauseMs);
  }
}
