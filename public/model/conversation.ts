/** The conversation that the page shows, without anything that is shown. */
import type { ChatMessage } from '../../src/lib/contract/responses.ts';
import { ask } from '../api/ask.ts';
import { AskFailure, failureFrom } from '../api/failure.ts';
import { readEarlierPage, readSession } from '../api/sessions.ts';
import { Signal } from '../parts/signal.ts';
import { keepMeasured, restoreMeasured } from './measured.ts';
import { Turn, type TurnOptions } from './turn.ts';

/**
 * The state of the one conversation that is open, and all that can be done with it. Views listen to its signals; each
 * turn has a signal of its own for its text and its state.
 */
export class Conversation {
  /** Another session is open: all turns are other ones. They may still have to be read. */
  readonly opened = new Signal();
  /** The turns of the session were read. */
  readonly read = new Signal();
  /** The turns of the session could not be read. */
  readonly readFailed = new Signal<AskFailure>();
  /** Turns were added before the first one. Gives their number. */
  readonly earlierRead = new Signal<number>();
  /** The turns before the first one could not be read. */
  readonly earlierFailed = new Signal<AskFailure>();
  /** A turn is new, or has moved to the end. It is waiting for its answer. */
  readonly asked = new Signal<Turn>();
  /** A turn is answered, stopped or failed, while the page was open. */
  readonly settled = new Signal<Turn>();
  /** A turn without an answer has given way to another question. */
  readonly removed = new Signal<Turn>();
  /** The user wants to change the question of this turn and ask it anew. */
  readonly editRequested = new Signal<Turn>();
  /** `isBusy` has changed. */
  readonly busyChanged = new Signal<boolean>();
  /** The session has got its id, with its first answer. */
  readonly sessionStarted = new Signal<string>();

  #sessionId: string | null = null;
  #turns: Turn[] = [];
  #next: string | null = null;
  /** Aborts the request in progress. */
  #pending: AbortController | null = null;
  /** Aborts the reading of earlier turns. */
  #earlier: AbortController | null = null;

  /** Null until the first answer of a new conversation. */
  get sessionId(): string | null {
    return this.#sessionId;
  }

  /** Oldest first. */
  get turns(): readonly Turn[] {
    return this.#turns;
  }

  /** The address of the messages before the first turn; null when there are none. */
  get next(): string | null {
    return this.#next;
  }

  /** Whether an answer or the session is awaited. Then nothing can be asked. */
  get isBusy(): boolean {
    return this.#pending !== null;
  }

  /** Opens a session, or an empty conversation. Ends what is in progress. */
  async open(sessionId: string | null): Promise<void> {
    this.#pending?.abort();
    this.#earlier?.abort();
    this.#earlier = null;
    this.#sessionId = sessionId;
    this.#turns = [];
    this.#next = null;
    this.opened.emit();
    if (sessionId === null) {
      this.#setPending(null);
      return;
    }
    const controller = this.#begin();
    try {
      const { messages, next } = await readSession(sessionId, controller.signal);
      if (this.#pending !== controller) return;
      this.#turns = turnsOf(messages);
      restoreMeasured(sessionId, this.#turns);
      this.#next = next;
      this.read.emit();
    } catch (error) {
      if (this.#pending !== controller) return;
      this.readFailed.emit(controller.signal.aborted ? new AskFailure('Stopped.') : failureFrom(error));
    } finally {
      this.#finish(controller);
    }
  }

  /** Reads the turns before the first one. Questions can be asked meanwhile. */
  async readEarlier(): Promise<void> {
    if (this.#next === null || this.#earlier) return;
    const controller = new AbortController();
    this.#earlier = controller;
    try {
      const { messages, next } = await readEarlierPage(this.#next, controller.signal);
      if (this.#earlier !== controller) return;
      const turns = turnsOf(messages);
      this.#turns = [...turns, ...this.#turns];
      if (this.#sessionId !== null) restoreMeasured(this.#sessionId, this.#turns);
      this.#next = next;
      this.earlierRead.emit(turns.length);
    } catch (error) {
      if (this.#earlier === controller) this.earlierFailed.emit(failureFrom(error));
    } finally {
      if (this.#earlier === controller) this.#earlier = null;
    }
  }

  /** Asks a question. Returns its turn, or undefined while the conversation is busy. */
  start(question: string, options: TurnOptions = {}): Turn | undefined {
    if (this.isBusy) return undefined;
    const turn = new Turn(question, options);
    this.#turns.push(turn);
    void this.#answer(turn);
    return turn;
  }

  /**
   * Asks the question of a stopped or failed turn again. It moves to the end: the server stores it after the others.
   * Returns false while the conversation is busy.
   */
  retry(turn: Turn): boolean {
    if (this.isBusy) return false;
    this.#turns = [...this.#turns.filter((each) => each !== turn), turn];
    turn.restart();
    void this.#answer(turn);
    return true;
  }

  /** Asks a question in place of a stopped or failed turn. A turn that was answered in the meantime stays. */
  replace(turn: Turn, question: string): Turn | undefined {
    if (this.isBusy) return undefined;
    if (['stopped', 'failed'].includes(turn.state) && this.#turns.includes(turn)) {
      this.#turns = this.#turns.filter((each) => each !== turn);
      this.removed.emit(turn);
    }
    return this.start(question);
  }

  /** Ends what is in progress. What came of an answer stays. */
  stop(): void {
    this.#pending?.abort();
  }

  async #answer(turn: Turn): Promise<void> {
    const controller = this.#begin();
    const { signal } = controller;
    this.asked.emit(turn);
    try {
      const { question, pastCache } = turn;
      for await (const event of ask({ question, sessionId: this.#sessionId, pastCache }, signal)) {
        if (signal.aborted) break;
        if (event.type === 'token') turn.append(event.text);
        if (event.type === 'session') this.#keepSession(event.sessionId);
        if (event.type === 'done') {
          const {
            answer,
            session_id: id,
            finish_reason: reason,
            performance_metrics: metrics,
          } = event.answer;
          this.#keepSession(id);
          keepMeasured(id, turn.question, answer, metrics);
          this.#settle(turn, () => turn.complete(answer, metrics, reason === 'length'));
          return;
        }
      }
      this.#settle(turn, () => turn.stop());
    } catch (error) {
      this.#settle(turn, () => (signal.aborted ? turn.stop() : turn.fail(failureFrom(error))));
    } finally {
      this.#finish(controller);
    }
  }

  #settle(turn: Turn, end: () => void): void {
    end();
    // Otherwise another conversation is open.
    if (this.#turns.includes(turn)) this.settled.emit(turn);
  }

  #keepSession(id: string): void {
    if (id === this.#sessionId) return;
    this.#sessionId = id;
    this.sessionStarted.emit(id);
  }

  #begin(): AbortController {
    const controller = new AbortController();
    this.#setPending(controller);
    return controller;
  }

  #finish(controller: AbortController): void {
    if (this.#pending === controller) this.#setPending(null);
  }

  #setPending(controller: AbortController | null): void {
    this.#pending = controller;
    this.busyChanged.emit(this.isBusy);
  }
}

/** The turns of a chat history. */
function turnsOf(messages: readonly ChatMessage[]): Turn[] {
  const turns: Turn[] = [];
  for (const { role, content } of messages) {
    if (role === 'human') turns.push(new Turn(content));
    else turns.at(-1)?.complete(content);
  }
  return turns;
}
