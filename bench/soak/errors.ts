/** Judges errors: each has to be one that a fault may cause which is on, or was until at most 30 s before. */
import type { Stall } from './stalls.ts';
import type { Violations } from './violations.ts';

/** One time of a fault. Times in milliseconds of `performance.now()`. */
export interface FaultWindow {
  name: string;
  onAt: number;
  /** Infinity while the fault is on. */
  offAt: number;
  /** Errors that it may cause. */
  allows: readonly string[];
  /** Number of its errors by class. */
  errors: Map<string, number>;
  /** When its last error was; 0 when it had none. */
  lastErrorAt: number;
}

/** Errors have to end within this time after their fault. */
const GONE_WITHIN_MS = 30_000;
/** What a machine without free CPU may cause: calls to storage and Redis that miss their limits of 1.5 s and 0.3 s. */
const OF_STALLS = new Set([
  'cache_error',
  'cache_not_cleared',
  'history_not_read',
  'history_not_saved',
  'history_unavailable',
]);
/** Longer than the limit of a call to storage. */
const AFTER_STALL_MS = 2000;

interface Unexplained {
  code: string;
  what: string;
  sentAt: number;
  endedAt: number;
}

/** The errors of a run. */
export class ErrorJudge {
  readonly windows: FaultWindow[] = [];
  /** Number of errors that only a stall of the machine explains. */
  ofStalls = 0;
  readonly #unexplained: Unexplained[] = [];
  readonly #violations: Violations;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  /** A fault begins. The caller sets `offAt` when it ends. */
  begin(name: string, allows: readonly string[]): FaultWindow {
    const window = {
      name,
      allows,
      onAt: performance.now(),
      offAt: Infinity,
      errors: new Map(),
      lastErrorAt: 0,
    };
    this.windows.push(window);
    return window;
  }

  /** Notes an error that has just arrived, of a request that was sent at `sentAt`. */
  note(code: string, sentAt: number, what: string): void {
    const now = performance.now();
    const window = this.windows.findLast(
      ({ allows, onAt, offAt }) => allows.includes(code) && onAt <= now && sentAt <= offAt + GONE_WITHIN_MS,
    );
    if (!window) {
      this.#unexplained.push({ code, what, sentAt, endedAt: now });
      return;
    }
    window.errors.set(code, (window.errors.get(code) ?? 0) + 1);
    window.lastErrorAt = now;
  }

  /** Number of errors that no fault explains, before the stalls are known. */
  get unexplained(): number {
    return this.#unexplained.length;
  }

  /** Judges the errors that no fault explains. */
  judge(stalls: readonly Stall[]): void {
    for (const { code, what, sentAt, endedAt } of this.#unexplained.splice(0)) {
      const isOfStall =
        OF_STALLS.has(code) &&
        stalls.some(({ from, to }) => from <= endedAt && sentAt <= to + AFTER_STALL_MS);
      if (isOfStall) this.ofStalls++;
      else this.#violations.add('unexpected error', `${code} (${what})`, endedAt);
    }
  }
}
