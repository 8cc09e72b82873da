/**
 * Stalls of the machine: times at which this process got no CPU. A machine that is busy with other programs makes calls
 * miss their time limits, which is no fault of the app. Measured here and not in the app, so that an app that blocks its
 * own event loop is not excused.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** A time with a stall, in milliseconds of `performance.now()`. */
export interface Stall {
  from: number;
  to: number;
  /** The longest time without CPU in it. */
  ms: number;
}

/** A search in Redis may take 300 ms and has several steps in two processes, each of which may be late by this. */
const STALL_MS = 50;
const CHECK_MS = 500;

/** A running watch. */
export type StallWatch = ReturnType<typeof watchStalls>;

/** Collects stalls until `stop` is called. */
export function watchStalls() {
  let stalls: Stall[] = [];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let from = performance.now();
  const check = (): void => {
    const to = performance.now();
    const ms = delay.max / 1e6;
    if (ms >= STALL_MS) stalls.push({ from, to, ms });
    from = to;
    delay.reset();
  };
  const timer = setInterval(check, CHECK_MS);
  return {
    /** Gives the stalls since it was last called. */
    take(): Stall[] {
      check();
      const taken = stalls;
      stalls = [];
      return taken;
    },
    /** The time without CPU since `since`, in milliseconds: the longest in each half second with a stall. */
    lostMs(since: number): number {
      check();
      return stalls.filter(({ to }) => to >= since).reduce((sum, { ms }) => sum + ms, 0);
    },
    stop(): void {
      clearInterval(timer);
      delay.disable();
    },
  };
}
