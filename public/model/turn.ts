/** A question of the conversation and its answer, without anything that is shown. */
import type { Ending } from '../api/answer.ts';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { AskFailure } from '../api/failure.ts';
import { Signal } from '../parts/signal.ts';
import type { AskedQuestion } from './asked.ts';

/** `waiting`: no text yet. `stopped` and `failed` keep the text that came. */
export type TurnState = 'waiting' | 'streaming' | 'answered' | 'stopped' | 'failed';

/**
 * What else is known of an answer in progress. `resumed`: it was asked before this page was opened; `lost`: the connection
 * is being restored; `stopping`: the server is being told to stop it.
 */
export type Progress = 'asked' | 'resumed' | 'lost' | 'stopping';

/** How a question is asked. */
export interface TurnOptions {
  /** The model is called, even if the answer is cached. */
  pastCache?: boolean;
}

/** A question and its answer. Only the model changes it; everything else listens and reads. */
export class Turn {
  readonly question: string;
  /** The model is called, even if the answer is cached. */
  pastCache: boolean;
  /** After each change of the state or of the answer. */
  readonly changed = new Signal();
  /** The question as it is kept until its answer is stored; undefined for one that was read from the server. */
  asked: AskedQuestion | undefined;
  /** Earlier answers, whose place this one has taken, the oldest first. */
  earlier: readonly string[] = [];
  #state: TurnState = 'waiting';
  #progress: Progress = 'asked';
  #answer = '';
  #position: string | undefined;
  #metrics: PerformanceMetrics | undefined;
  #failure: AskFailure | undefined;
  #isCut = false;
  #waitsUntil = 0;
  /** The answer whose place the one in progress will take. */
  #replaced: Ending | undefined;

  constructor(question: string, { pastCache = false }: TurnOptions = {}) {
    this.question = question;
    this.pastCache = pastCache;
  }

  get state(): TurnState {
    return this.#state;
  }

  /** Whether the answer is being waited for. */
  get isOpen(): boolean {
    return this.#state === 'waiting' || this.#state === 'streaming';
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The Markdown that has arrived. */
  get answer(): string {
    return this.#answer;
  }

  /** The position in the session; undefined when it is not stored there. */
  get position(): string | undefined {
    return this.#position;
  }

  /** Known of answers that came while the page was open. */
  get metrics(): PerformanceMetrics | undefined {
    return this.#metrics;
  }

  /** Whether the model reached its output limit before the end of the answer. Known as the metrics are. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** When the model can be asked again, on the clock of `performance.now()`; 0 when it need not be waited for. */
  get waitsUntil(): number {
    return this.#waitsUntil;
  }

  /** The answer whose place the one in progress will take; undefined when there is none. */
  get replaced(): Ending | undefined {
    return this.#replaced;
  }

  /** Why the turn failed, or why its answer could not be replaced. */
  get failure(): AskFailure | undefined {
    return this.#failure;
  }

  /** Forgets the answer, for another attempt. */
  restart(): void {
    this.#answer = '';
    this.#position = undefined;
    this.#metrics = undefined;
    this.#isCut = false;
    this.#progress = 'asked';
    this.#enter('waiting');
  }

  /** Forgets the answer until another one takes its place. */
  replace(): void {
    const { state, answer, position, metrics, isCut } = this;
    this.#replaced = { answer, isStopped: state === 'stopped', position, metrics, isCut };
    this.restart();
  }

  /** Brings the answer back whose place no other one has taken. */
  restore(failure?: AskFailure): void {
    if (this.#replaced) this.end(this.#replaced, failure);
  }

  /** Notes what is known of an answer in progress. */
  note(progress: Progress): void {
    if (progress === this.#progress) return;
    this.#progress = progress;
    this.changed.emit();
  }

  /** Notes that the model can be asked again in some seconds. */
  waitFor(seconds: number): void {
    this.#waitsUntil = performance.now() + 1000 * seconds;
    this.changed.emit();
  }

  /** Adds text that begins at `offset` of the answer. */
  append(text: string, offset = this.#answer.length): void {
    this.#answer = this.#answer.slice(0, offset) + text;
    this.#enter(this.#answer === '' ? 'waiting' : 'streaming');
  }

  /** Sets the whole answer, or what came before it was stopped. */
  end({ answer, isStopped, position, metrics, isCut }: Ending, failure?: AskFailure): void {
    this.#answer = answer;
    this.#position = position;
    this.#metrics = metrics;
    this.#isCut = isCut;
    this.#replaced = undefined;
    this.#enter(isStopped ? 'stopped' : 'answered', failure);
  }

  /** Adds the measurements of an earlier visit. */
  measure(metrics: PerformanceMetrics | undefined): void {
    this.#metrics = metrics;
    this.changed.emit();
  }

  stop(): void {
    this.#enter('stopped');
  }

  fail(failure: AskFailure): void {
    this.#enter('failed', failure);
  }

  #enter(state: TurnState, failure?: AskFailure): void {
    this.#state = state;
    this.#waitsUntil = 0;
    this.#failure = failure;
    this.changed.emit();
  }
}
