/** The questions that callers ask, and whether a cache already has the answer. */
import { type Random, Zipf } from './random.ts';
import type { Scenario } from './scenario.ts';

/** A question. Equal keys are equal prompts. */
export interface Question {
  key: number;
  /** Mean arrivals a second of questions with this key, in the whole load. */
  perSecond: number;
  /** Rows of its session that are read for it; 0 in a new session. */
  rowsRead: number;
  isStreamed: boolean;
  /** The partition of its session. */
  session: { account: number; isHot: boolean };
}

/** A session that many callers share is long: HISTORY_MAX_INTERACTIONS and one more row are read. */
const HOT_SESSION_ROWS = 11;

/** Key of the question that the callers of a herd share. */
const HERD_KEY = -1;

/** Draws questions: first questions, and follow-ups whose prompt contains the first question. */
export class Questions {
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #first: Zipf;
  readonly #followUps: Zipf;

  constructor(scenario: Scenario, random: Random) {
    const { first, followUps, exponent } = scenario.questions;
    this.#scenario = scenario;
    this.#random = random;
    this.#first = new Zipf(first, exponent);
    this.#followUps = new Zipf(followUps, exponent);
  }

  /** Draws a question. `sameShare` of them are the question of a herd. */
  draw(sameShare: number): Question {
    const { questions, storage, load } = this.#scenario;
    const random = this.#random;
    const session = {
      account: random.below(storage.accounts),
      isHot: random.next() < storage.hotSessionShare,
    };
    const isStreamed = random.next() < questions.streamedShare;
    if (random.next() < sameShare) return { key: HERD_KEY, perSecond: 0, rowsRead: 0, isStreamed, session };
    const earlier = random.below(questions.sessionLength);
    const first = this.#first.sample(random);
    let key = first;
    let share = this.#first.probability(first) / questions.sessionLength;
    for (let index = 0; index < earlier; index++) {
      const followUp = this.#followUps.sample(random);
      key = key * questions.followUps + followUp + questions.first;
      share *= this.#followUps.probability(followUp);
    }
    const rowsRead = session.isHot ? HOT_SESSION_ROWS : earlier;
    return { key, perSecond: load.perSecond * share, rowsRead, isStreamed, session };
  }
}

/**
 * The answers that a cache has. What it got before the run is decided at the first lookup of a key: with Poisson
 * arrivals of `rate` a second, a key was asked within `warmMs` with the probability `1 - e^(-rate * warmMs / 1000)`.
 */
export class AnswerStore {
  readonly #random: Random;
  readonly #warmSeconds: number;
  readonly #known = new Map<number, boolean>();

  constructor(random: Random, warmMs: number) {
    this.#random = random;
    this.#warmSeconds = warmMs / 1000;
  }

  /** Whether it has the answer. `perSecond` is the rate at which this cache saw the question before the run. */
  has(key: number, perSecond: number): boolean {
    const known = this.#known.get(key) ?? this.#random.next() < 1 - Math.exp(-perSecond * this.#warmSeconds);
    this.#known.set(key, known);
    return known;
  }

  add(key: number): void {
    this.#known.set(key, true);
  }
}
