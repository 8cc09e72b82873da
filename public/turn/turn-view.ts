/** The elements of a question and its answer. */
import './turn.css';
import { showFacts } from '../measurements/facts.ts';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { renderAnswer } from '../reading/render-answer.ts';
import { actionBar, sayBusy } from './actions.ts';
import { cutNote, failureNote, stoppedNote, waitingNote } from './outcome.ts';
import { questionBubble } from './question.ts';

const FRAME_MS = 16;

/** Shows a turn, and follows its changes. */
export class TurnView {
  readonly root: HTMLElement;
  readonly #turn: Turn;
  readonly #conversation: Conversation;
  readonly #beforeDrawing: () => () => void;
  readonly #text = element('div', { class: 'text' });
  readonly #after = element('div', { class: 'after' });
  readonly #asked = element('div', { class: 'asked-bar' });
  #drawing = 0;
  /** Duration of the last rendering. */
  #drawMs = 0;

  /** `beforeDrawing` is called before a change is drawn, and what it returns afterwards: it keeps the end in view. */
  constructor(turn: Turn, conversation: Conversation, beforeDrawing: () => () => void) {
    this.#turn = turn;
    this.#conversation = conversation;
    this.#beforeDrawing = beforeDrawing;
    this.root = element(
      'li',
      { class: 'turn' },
      element('div', { class: 'asked' }, questionBubble(turn.question), this.#asked),
      element('div', { class: 'answer' }, hiddenText('Answer: '), this.#text, this.#after),
    );
    turn.changed.listen(() => this.#update());
    this.#draw();
  }

  /** The answer as plain text, for screen readers. */
  get spoken(): string {
    return this.#text.innerText;
  }

  #update(): void {
    if (this.#turn.state !== 'streaming') this.#draw();
    // A long block costs time at each piece of it; rendering may use a fifth of the CPU.
    else this.#drawing ||= window.setTimeout(() => this.#draw(), Math.max(FRAME_MS, 4 * this.#drawMs));
  }

  #draw(): void {
    const startedAt = performance.now();
    const afterDrawing = this.#beforeDrawing();
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    const { answer, state } = this.#turn;
    renderAnswer(answer, this.#text, state !== 'waiting' && state !== 'streaming');
    this.root.dataset['state'] = state;
    this.#asked.replaceChildren(...this.#belowQuestion());
    this.#after.replaceChildren(...this.#below());
    this.#after.querySelector('input')?.focus();
    afterDrawing();
    this.#drawMs = performance.now() - startedAt;
  }

  #belowQuestion(): Node[] {
    const note = this.#turn.pastCache && element('p', {}, 'Asked without the cache');
    const bar = actionBar(this.#turn, this.#conversation, 'question');
    return [bar, note].filter((node) => node instanceof HTMLElement);
  }

  #below(): Node[] {
    const { state, failure } = this.#turn;
    const remedies = {
      retry: () => {
        if (!this.#conversation.retry(this.#turn)) sayBusy();
      },
      edit: () => this.#conversation.editRequested.emit(this.#turn),
    };
    if (state === 'waiting') return waitingNote();
    if (state === 'streaming') return [];
    const bar = actionBar(this.#turn, this.#conversation, 'answer');
    if (state === 'answered') {
      const cut = this.#turn.isCut ? element('div', { class: 'outcome' }, ...cutNote()) : undefined;
      return [cut, showFacts(this.#turn), bar].filter((node) => node !== undefined);
    }
    const note = failure ? failureNote(failure, remedies) : stoppedNote(this.#turn.answer !== '', remedies);
    return [element('div', { class: 'outcome' }, ...note), bar].filter((node) => node !== undefined);
  }
}
