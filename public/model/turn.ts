/** A question of the conversation and its answer, without anything that is shown. */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { AskFailure } from '../api/failure.ts';
import { Signal } from '../parts/signal.ts';

/** `waiting`: no text yet. `stopped` and `failed` keep the text that came. */
export type TurnState = 'waiting' | 'streaming' | 'answered' | 'stopped' | 'failed';

/** How a question is asked. */
export interface TurnOptions {
  /** The model is called, even if the answer is cached. */
  pastCache?: boolean;
}

/** A question and its answer. Only the {@link Conversation} calls its methods; everything else listens and reads. */
export class Turn {
  readonly question: string;
  readonly pastCache: boolean;
  /** After each change of the state or of the answer. */
  readonly changed = new Signal();
  #state: TurnState = 'waiting';
  #answer = '';
  #metrics: PerformanceMetrics | undefined;
  #failure: AskFailure | undefined;
  #isCut = false;

  constructor(question: string, { pastCache = false }: TurnOptions = {}) {
    this.question = question;
    this.pastCache = pastCache;
  }

  get state(): TurnState {
    return this.#state;
  }

  /** The Markdown that has arrived. */
  get answer(): string {
    return this.#answer;
  }

  /** Known of answers that came while the page was open. */
  get metrics(): PerformanceMetrics | undefined {
    return this.#metrics;
  }

  /** Whether the model reached its output limit before the end of the answer. Known as the metrics are. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Why the turn failed; only in the state `failed`. */
  get failure(): AskFailure | undefined {
    return this.#failure;
  }

  /** Forgets the answer, for another attempt. */
  restart(): void {
    this.#answer = '';
    this.#metrics = undefined;
    this.#isCut = false;
    this.#enter('waiting');
  }

  append(text: string): void {
    this.#answer += text;
    this.#enter('streaming');
  }

  /** Sets the whole answer. */
  complete(answer: string, metrics?: PerformanceMetrics, isCut = false): void {
    this.#answer = answer;
    this.#metrics = metrics;
    this.#isCut = isCut;
    this.#enter('answered');
  }

  stop(): void {
    this.#enter('stopped');
  }

  fail(failure: AskFailure): void {
    this.#enter('failed', failure);
  }

  #enter(state: TurnState, failure?: AskFailure): void {
    this.#state = state;
    this.#failure = failure;
    this.changed.emit();
  }
}
