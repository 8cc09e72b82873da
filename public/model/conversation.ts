/** The conversation that the page shows, without anything that is shown. */
import { AskFailure, failureFrom } from '../api/failure.ts';
import { readEarlierPage } from '../api/sessions.ts';
import { Signal } from '../parts/signal.ts';
import { type AskedQuestion, forgetAsked, keepAsked, newId } from './asked.ts';
import { restoreMeasured } from './measured.ts';
import { mergeTurns, readTurns, turnsOf } from './read-turns.ts';
import { Run } from './run.ts';
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
  /** Turns were added, moved or removed by another tab or browser. */
  readonly refreshed = new Signal();
  /** Turns were added before the first one. Gives their number. */
  readonly earlierRead = new Signal<number>();
  /** The turns before the first one could not be read. */
  readonly earlierFailed = new Signal<AskFailure>();
  /** A turn is new, or has moved. It is waiting for its answer. */
  readonly asked = new Signal<Turn>();
  /** A turn is answered, stopped or failed, while the page was open. */
  readonly settled = new Signal<Turn>();
  /** A turn without an answer has given way to another question. */
  readonly removed = new Signal<Turn>();
  /** The user wants to change the question of this turn and ask it anew. */
  readonly editRequested = new Signal<Turn>();
  /** `isBusy` has changed. */
  readonly busyChanged = new Signal<boolean>();
  /** The session has got its id, with its first question. */
  readonly sessionStarted = new Signal<string>();

  #sessionId: string | null = null;
  #turns: Turn[] = [];
  #next: string | null = null;
  /** The answers in progress. */
  readonly #runs = new Set<Run>();
  /** Aborts the reading of the session. */
  #reading: AbortController | null = null;
  /** Aborts the reading of earlier turns. */
  #earlier: AbortController | null = null;

  /** Null until the first question of a new conversation. */
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
    return this.#reading !== null || this.#runs.size > 0;
  }

  /** Opens a session, or an empty conversation. Answers in progress go on, and are followed again when it is opened again. */
  async open(sessionId: string | null): Promise<void> {
    for (const run of this.#runs) run.leave();
    this.#runs.clear();
    this.#reading?.abort();
    this.#earlier?.abort();
    this.#earlier = null;
    this.#sessionId = sessionId;
    this.#turns = [];
    this.#next = null;
    this.opened.emit();
    const reading = sessionId === null ? null : new AbortController();
    this.#setReading(reading);
    if (sessionId === null || !reading) return;
    try {
      const { stored, open, next } = await readTurns(sessionId, reading.signal);
      if (this.#reading !== reading) return;
      this.#turns = [...stored, ...open];
      restoreMeasured(sessionId, stored);
      this.#next = next;
      this.read.emit();
      for (const turn of this.#turns) this.#resume(turn);
    } catch (error) {
      if (this.#reading !== reading) return;
      this.readFailed.emit(reading.signal.aborted ? new AskFailure('Stopped.') : failureFrom(error));
    } finally {
      if (this.#reading === reading) this.#setReading(null);
    }
  }

  /** Takes over what other tabs and browsers have done in this session. */
  async refresh(): Promise<void> {
    const session = this.#sessionId;
    if (session === null || this.isBusy) return;
    const before = this.#turns;
    const now = await readTurns(session, new AbortController().signal).catch(() => undefined);
    if (!now || this.isBusy || this.#turns !== before) return;
    const merged = mergeTurns(before, now);
    if (merged.length === before.length && merged.every((turn, at) => turn === before[at])) return;
    this.#turns = merged;
    for (const turn of merged) this.#resume(turn);
    this.refreshed.emit();
  }

  /** Reads the turns before the first one. Questions can be asked meanwhile. */
  async readEarlier(): Promise<void> {
    if (this.#next === null || this.#earlier) return;
    const controller = new AbortController();
    this.#earlier = controller;
    try {
      const { messages, next } = await readEarlierPage(this.#next, controller.signal);
      if (this.#earlier !== controller) return;
      const turns = turnsOf(messages, this.#sessionId ?? '');
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
    return this.#add(new Turn(question, options), this.#turns.length, { key: newId() });
  }

  /**
   * Asks the question of a turn again, in its place: its answer stays until there is another one, and then is an earlier
   * version. Returns false while the conversation is busy.
   */
  askAgain(turn: Turn, { pastCache = false }: TurnOptions = {}): boolean {
    if (turn.position === undefined) return this.retry(turn);
    if (this.isBusy) return false;
    const replaces = turn.position;
    turn.pastCache = pastCache;
    turn.replace();
    void this.#follow(this.#ask(turn, { key: newId(), replaces }), true);
    return true;
  }

  /**
   * Asks the question of a stopped or failed turn again. It moves to the end: the server stores it after the others.
   * Returns false while the conversation is busy.
   */
  retry(turn: Turn): boolean {
    if (this.isBusy) return false;
    // What has failed may have been answered all the same: its key says so. What was stopped stays stopped.
    const isAnew = turn.state === 'stopped' || turn.failure?.code === 'idempotency_conflict';
    const key = isAnew ? undefined : turn.asked?.key;
    if (key === undefined && turn.asked) forgetAsked(turn.asked);
    this.#turns = this.#turns.filter((each) => each !== turn);
    turn.restart();
    this.#add(turn, this.#turns.length, { key: key ?? newId(), replaces: turn.asked?.replaces });
    return true;
  }

  /** Asks a question in place of a stopped or failed turn. A turn that was answered in the meantime stays. */
  replace(turn: Turn, question: string): Turn | undefined {
    if (this.isBusy) return undefined;
    const at = this.#turns.indexOf(turn);
    if (at < 0 || !['stopped', 'failed'].includes(turn.state)) return this.start(question);
    this.#remove(turn);
    return this.#add(new Turn(question), at, { key: newId(), replaces: turn.position });
  }

  /** Stops the newest answer in progress, for all who wait for it. What came of it stays. */
  stop(): void {
    this.#reading?.abort();
    void [...this.#runs].at(-1)?.stop();
  }

  /** Adds a turn at this index, and asks its question. */
  #add(turn: Turn, at: number, named: { key: string; replaces?: string | undefined }): Turn {
    this.#turns = this.#turns.toSpliced(at, 0, turn);
    const run = this.#ask(turn, named);
    this.asked.emit(turn);
    void this.#follow(run, true);
    return turn;
  }

  #ask(turn: Turn, { key, replaces }: { key: string; replaces?: string | undefined }): Run {
    const isNew = this.#sessionId === null;
    const session = (this.#sessionId ??= newId());
    const { question, pastCache } = turn;
    turn.asked = { session, key, question, pastCache, replaces, askedAt: Date.now(), isStopped: false };
    // Before it is sent: whatever happens to this page, its answer is found.
    keepAsked(turn.asked);
    if (isNew) this.sessionStarted.emit(session);
    return this.#begin(turn, turn.asked);
  }

  /** Follows a question of an earlier visit, or of another tab. */
  #resume(turn: Turn): void {
    if (!turn.asked || !turn.isOpen) return;
    void this.#follow(this.#begin(turn, turn.asked), false);
  }

  #begin(turn: Turn, asked: AskedQuestion): Run {
    const run = new Run(turn, asked);
    this.#runs.add(run);
    this.busyChanged.emit(this.isBusy);
    return run;
  }

  async #follow(run: Run, isNew: boolean): Promise<void> {
    const hasEnded = await run.follow(isNew);
    // Otherwise another conversation is open.
    if (!this.#runs.delete(run) || !hasEnded) return;
    const { turn } = run;
    const isShownTwice = this.#turns.some(
      (each) => each !== turn && turn.position !== undefined && each.position === turn.position,
    );
    if (isShownTwice) this.#remove(turn);
    else this.settled.emit(turn);
    this.busyChanged.emit(this.isBusy);
    // What another browser asked may have taken the place of another turn.
    if (!isNew) void this.refresh();
  }

  #remove(turn: Turn): void {
    if (turn.asked) forgetAsked(turn.asked);
    this.#turns = this.#turns.filter((each) => each !== turn);
    this.removed.emit(turn);
  }

  #setReading(reading: AbortController | null): void {
    this.#reading = reading;
    this.busyChanged.emit(this.isBusy);
  }
}
