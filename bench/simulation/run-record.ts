/** What a run counts, and the table of causes that shows what broke first. */

/** Why a question waited or failed. */
export type Cause =
  | 'instances'
  | 'cpu'
  | 'bulkhead'
  | 'model quota'
  | 'model failures'
  | 'storage account'
  | 'storage partition';

/** What happened to a question that got no answer: an error code of the API, or the platform gave up. */
export type Refusal =
  | 'busy'
  | 'circuit_open'
  | 'model_rate_limited'
  | 'model_unavailable'
  | 'timeout'
  | 'no_instance';

/** A limit that was reached. */
export interface Break {
  cause: Cause;
  /** The second from which on, within 10 s, more than 1 % of the questions met it. */
  second: number;
  /** Questions or calls that met it, as a share of all questions. */
  share: number;
}

/** A cause counts as a break when it met more than this share of the questions within some seconds, and more than once. */
const BREAK_SHARE = 0.01;
const BREAK_SECONDS = 10;
const BREAK_COUNT = 5;

/** The counts of one run. */
export class RunRecord {
  arrived = 0;
  answered = 0;
  /** Questions that have arrived at the platform and are neither answered nor refused. */
  inProgress = 0;
  readonly refused = new Map<Refusal, number>();
  cacheHits = 0;
  redisHits = 0;
  redisLookups = 0;
  coalesced = 0;
  /** Answered, but the interaction could not be stored. */
  notSaved = 0;
  /** Answered without the chat history, because it could not be read. */
  withoutHistory = 0;
  coldStarts = 0;
  modelRequests = 0;
  completions = 0;
  storageCalls = 0;
  /** From the arrival at the platform to the answer, in milliseconds. */
  readonly times: number[] = [];
  /** Refused questions: from the arrival to the refusal. */
  readonly refusalTimes: number[] = [];
  /** The smallest difference between the time of an answer and the work that it needed. Negative: a bug. */
  leastSlackMs = Infinity;
  readonly #arrivals: number[] = [];
  readonly #causes = new Map<Cause, number[]>();

  /** Counts an arrival at the time `now`. */
  arrive(now: number): void {
    this.arrived++;
    this.inProgress++;
    count(this.#arrivals, now);
  }

  /** Counts an answer after `ms`, whose steps took `workMs` without any wait. */
  answer(ms: number, workMs: number): void {
    this.answered++;
    this.inProgress--;
    this.times.push(ms);
    this.leastSlackMs = Math.min(this.leastSlackMs, ms - workMs);
  }

  /** Counts a question without an answer. */
  refuse(code: Refusal, ms: number): void {
    this.refused.set(code, 1 + (this.refused.get(code) ?? 0));
    this.inProgress--;
    this.refusalTimes.push(ms);
  }

  /** Notes that a question met a limit at the time `now`. */
  meet(cause: Cause, now: number): void {
    const seconds = this.#causes.get(cause) ?? [];
    this.#causes.set(cause, seconds);
    count(seconds, now);
  }

  /** The limits that were reached, the first one first. */
  breaks(): Break[] {
    const found: Break[] = [];
    for (const [cause, seconds] of this.#causes) {
      const second = seconds.findIndex((times, at) => times > 0 && this.#isBreak(seconds, at));
      if (second >= 0) found.push({ cause, second, share: sum(seconds) / this.arrived });
    }
    return found.toSorted((a, b) => a.second - b.second || b.share - a.share);
  }

  #isBreak(seconds: number[], from: number): boolean {
    const met = sum(seconds.slice(from, from + BREAK_SECONDS));
    return met >= BREAK_COUNT && met > BREAK_SHARE * sum(this.#arrivals.slice(from, from + BREAK_SECONDS));
  }
}

const sum = (counts: number[]): number => counts.reduce((total, each) => total + each, 0);

function count(seconds: number[], now: number): void {
  const second = Math.floor(now / 1000);
  while (seconds.length <= second) seconds.push(0);
  seconds[second] = 1 + (seconds[second] ?? 0);
}
