/** What must never happen, counted by kind. */

/** The kinds, each with its meaning. Some are of `npm run soak` or `npm run crash` only. */
const KINDS = {
  lost: 'an interaction that was stored is missing',
  doubled: 'an interaction is in its session twice',
  reordered: 'interactions are in another order than they were asked in',
  foreign: 'a session has an interaction of another session',
  wrong: 'an interaction, or the history of an answer, is not what it must be',
  'wrong cached': 'a cached or shared answer belongs to another prompt',
  undocumented: 'a response is not in the OpenAPI document, or there was none',
  'unexpected error': 'an error outside of the faults that may cause it',
  'asked again': 'the model was asked again for a question that was answered under its Idempotency-Key',
  unusable: 'the cache file was not usable within 30 s after the app had started',
  'late stop': 'a request or the app did not end in time after SIGTERM',
  growth: 'a figure of the process grows faster than its limit',
} as const;

/** A kind of violation. */
export type Kind = keyof typeof KINDS;

/** A violation. `at` is in seconds since the start. */
export interface Violation {
  kind: Kind;
  at: number;
  detail: string;
}

/** Violations that are kept with their detail; all are counted. */
const MAX_DETAILS = 100;

/** The violations of a run. */
export class Violations {
  readonly counts = new Map<Kind, number>();
  readonly details: Violation[] = [];
  readonly #startedAt = performance.now();

  /** `when` is on the clock of `performance.now()`. */
  add(kind: Kind, detail: string, when = performance.now()): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const at = Math.round(when - this.#startedAt) / 1000;
    if (this.details.length < MAX_DETAILS) this.details.push({ kind, at, detail });
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** One line for each kind, then the first violations in detail. */
  format(): string {
    const rows = Object.entries(KINDS).map(
      ([kind, meaning]) =>
        `  ${kind.padEnd(17)} ${String(this.counts.get(kind as Kind) ?? 0).padStart(6)}  ${meaning}`,
    );
    const details = this.details
      .slice(0, 20)
      .map(({ kind, at, detail }) => `  ${at.toFixed(1)} s, ${kind}: ${detail}`);
    return ['Violations (all must be 0)', ...rows, ...details].join('\n');
  }
}
