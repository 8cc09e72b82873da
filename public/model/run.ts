/** An answer in progress: from its question, or from where another visit has left it, to its end. */
import { type Ending, stopAnswer } from '../api/answer.ts';
import { followAnswer } from '../api/follow-answer.ts';
import { type AskFailure, failureFrom, offline } from '../api/failure.ts';
import { type AskedQuestion, forgetAsked, keepAsked } from './asked.ts';
import { keepMeasured } from './measured.ts';
import type { Turn } from './turn.ts';
import { keepVersions } from './versions.ts';

/** A question that the server does not know is asked up to this age: the page was closed before it was sent. */
const MAX_UNSENT_MS = 5 * 60 * 1000;

/** One run of a turn. */
export class Run {
  readonly turn: Turn;
  readonly #asked: AskedQuestion;
  readonly #controller = new AbortController();
  #hasEnded = false;

  constructor(turn: Turn, asked: AskedQuestion) {
    this.turn = turn;
    this.#asked = asked;
  }

  /** Asks the question, or follows its answer, until the turn has ended. False when the page has turned away before. */
  async follow(isNew: boolean): Promise<boolean> {
    const { signal } = this.#controller;
    const mayAsk = () => Date.now() - this.#asked.askedAt < MAX_UNSENT_MS;
    try {
      for await (const event of followAnswer(this.#asked, { isNew, mayAsk, signal })) {
        if (signal.aborted) break;
        if (event.type === 'done') this.#end(event.ending);
        else if (this.turn.progress === 'stopping') continue;
        else if (event.type === 'lost') this.turn.note('lost');
        else if (event.type === 'token') this.turn.append(event.text);
        else if (event.type === 'status') this.turn.waitFor(event.retryIn);
        else this.#open(event.offset);
      }
    } catch (error) {
      this.#settle(() => this.#fail(failureFrom(error)));
    }
    return this.#hasEnded;
  }

  /** Turns away from the answer, which goes on. */
  leave(): void {
    this.#controller.abort();
  }

  /** Stops the answer on the server. A second call, and a server that cannot be reached, end it on this page only. */
  async stop(): Promise<void> {
    const { turn } = this;
    const isSecond = turn.progress === 'stopping';
    turn.note('stopping');
    try {
      if (isSecond) throw offline();
      const ending = await stopAnswer(this.#asked);
      // Without an ending, the stream says when it is over.
      if (ending) this.#settle(() => this.#end(ending));
    } catch (error) {
      const failure = failureFrom(error);
      this.#settle(() => {
        if (!failure.isLost) return this.#fail(failure);
        turn.note('lost');
        return turn.replaced ? turn.restore() : turn.stop();
      });
    }
  }

  /** Ends the turn, unless it has ended or was left. */
  #settle(end: () => void): void {
    if (this.#hasEnded || this.#controller.signal.aborted) return;
    this.#hasEnded = true;
    end();
    this.#controller.abort();
  }

  #open(offset: number): void {
    // A question that is asked anew begins with an empty text.
    if (offset < this.turn.answer.length) this.turn.append('', offset);
    if (this.turn.progress === 'lost') this.turn.note('resumed');
  }

  #end(ending: Ending): void {
    this.#hasEnded = true;
    const { turn } = this;
    const { answer, isStopped, metrics, position } = ending;
    // The server stores nothing of an answer that was stopped before its first text.
    const isEmpty = isStopped && answer === '';
    if (isEmpty && !turn.replaced) keepAsked({ ...this.#asked, isStopped });
    else forgetAsked(this.#asked);
    if (isEmpty && turn.replaced) return turn.restore();
    const { session } = this.#asked;
    if (metrics && !isStopped) keepMeasured(session, turn.question, answer, metrics);
    if (turn.replaced?.position !== undefined && position !== undefined) {
      turn.earlier = [...turn.earlier, turn.replaced.answer];
      keepVersions(turn.replaced.position, { session, position, answers: [...turn.earlier] });
    }
    turn.end(ending);
  }

  /** The server has left the answer as it was that should have been replaced. */
  #fail(failure: AskFailure): void {
    if (!this.turn.replaced) return this.turn.fail(failure);
    forgetAsked(this.#asked);
    this.turn.restore(failure);
  }
}
