/** The checker's own model of one session, and the comparison with what the app shows. */
import type { ChatMessage } from '../../src/lib/contract/responses.ts';
import type { Interaction } from './answers.ts';
import type { Violations } from './violations.ts';

/**
 * What is known of an asked question:
 * - `stored`: the app said `history_saved: true`. It must be there exactly once.
 * - `unsure`: the app said false, or the outcome is unknown. It may be there once.
 * - `refused`: the app refused the question before it could be answered. It must not be there.
 */
export type TurnState = 'stored' | 'unsure' | 'refused';

/** An asked question. Its text is unique within its session. */
export interface Turn {
  question: string;
  /** Undefined while it is not known. */
  answer: string | undefined;
  state: TurnState;
  /**
   * The question was answered before the next one was sent. Otherwise it may still be in progress in the app, or was sent
   * again: its interaction may come later than those of later questions, and even after a reset.
   */
  ended: boolean;
}

/** The start of the questions of a session, by which a foreign interaction is recognized. */
export const markOf = (session: string): string => `${session}:`;

/** One session. One caller uses it, and sends one question at a time. */
export class SessionModel {
  readonly id: string;
  turns: Turn[] = [];
  readonly #violations: Violations;
  readonly #forgotten = new Set<string>();

  constructor(id: string, violations: Violations) {
    this.id = id;
    this.#violations = violations;
  }

  /** A question is about to be sent. */
  begin(question: string): Turn {
    const turn: Turn = { question, answer: undefined, state: 'unsure', ended: false };
    this.turns.push(turn);
    return turn;
  }

  /** The session was reset or deleted: only questions that may still be in progress can appear. */
  forget(except?: Turn): void {
    const kept = this.turns.filter((turn) => turn === except || (turn.state === 'unsure' && !turn.ended));
    for (const { question } of this.turns) this.#forgotten.add(question);
    for (const { question } of kept) this.#forgotten.delete(question);
    this.turns = kept;
  }

  /**
   * Compares the interactions that the app shows, oldest first, with the model. `current` is the question that the app
   * has just answered: neither it nor later questions need to be shown.
   */
  compare(shown: readonly Interaction[], where: string, current?: Turn): void {
    const say = (kind: Parameters<Violations['add']>[0], what: string): void =>
      this.#violations.add(kind, `${this.id}, ${where}: ${what}`);
    const found: number[] = [];
    const seen = new Set<string>();
    for (const { question, answer } of shown) {
      const index = this.turns.findIndex((turn) => turn.question === question);
      const turn = this.turns[index];
      if (seen.has(question)) say('doubled', question);
      else if (turn) this.#compareTurn(turn, answer, say);
      else say(this.#kindOfUnknown(question), `"${question}" is shown`);
      if (!seen.has(question) && turn && isInOrder(turn)) found.push(index);
      seen.add(question);
    }
    const isEarlier = ({ ended }: Turn, index: number): boolean =>
      ended && index < this.turns.indexOf(current as Turn);
    const earlier = current ? this.turns.filter(isEarlier) : this.turns;
    for (const { state, question } of earlier)
      if (state === 'stored' && !seen.has(question)) say('lost', question);
    if (found.some((index, place) => index < (found[place - 1] ?? -1)))
      say('reordered', shown.map(({ question }) => question).join(' | '));
  }

  #compareTurn(turn: Turn, answer: string, say: (kind: 'wrong', what: string) => void): void {
    if (turn.state === 'refused') say('wrong', `"${turn.question}" was refused, but is shown`);
    else if (turn.answer !== undefined && turn.answer !== answer)
      say('wrong', `"${turn.question}" has the answer "${answer}" instead of "${turn.answer}"`);
  }

  #kindOfUnknown(question: string): 'wrong' | 'foreign' {
    return this.#forgotten.has(question) || question.startsWith(markOf(this.id)) ? 'wrong' : 'foreign';
  }
}

const isInOrder = ({ state, ended }: Turn): boolean => ended && state !== 'refused';

/** The interactions of a chat history, which alternates between question and answer. */
export function toInteractions(history: readonly ChatMessage[]): Interaction[] {
  const found: Interaction[] = [];
  for (let index = 0; index < history.length; index += 2)
    found.push({ question: history[index]?.content ?? '', answer: history[index + 1]?.content ?? '' });
  return found;
}
