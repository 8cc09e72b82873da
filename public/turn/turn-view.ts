/** The elements of a question and its answer. */
import './turn.css';
import { showFacts } from '../measurements/facts.ts';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { renderAnswer } from '../reading/render-answer.ts';
import { actionBar, sayBusy } from './actions.ts';
import { cutNote, expiredNote, failureNote, type Remedies, stoppedNote, waitingNote } from './outcome.ts';
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
  /** The index of the earlier version that is shown; undefined for the newest one. */
  #version: number | undefined;
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
    const { answer, state, isOpen } = this.#turn;
    if (isOpen) this.#version = undefined;
    const text = this.#version === undefined ? answer : (this.#turn.earlier[this.#version] ?? answer);
    renderAnswer(text, this.#text, !isOpen);
    this.root.dataset['state'] = state;
    this.#asked.replaceChildren(...this.#belowQuestion());
    this.#after.replaceChildren(...this.#below());
    this.#after.querySelector('input')?.focus();
    afterDrawing();
    this.#drawMs = performance.now() - startedAt;
  }

  /** What is said about an answer that has ended; nothing about one that is complete. */
  #outcome(remedies: Remedies): Node[] {
    const { state, failure, isCut } = this.#turn;
    if (failure && state !== 'failed')
      return [element('p', {}, 'The answer was not replaced.'), ...failureNote(failure, remedies)];
    if (failure) return failureNote(failure, remedies);
    if (state === 'stopped') return stoppedNote(this.#turn, remedies);
    return isCut ? cutNote() : expiredNote(this.#turn);
  }

  /** A button that shows the version of the answer before the one that is shown; after the first one, the newest. */
  #versions(): HTMLElement | undefined {
    const { earlier } = this.#turn;
    if (earlier.length === 0) return undefined;
    const shown = this.#version ?? earlier.length;
    const next = shown === 0 ? earlier.length : shown - 1;
    const name = next === earlier.length ? 'Show the newest version' : `Show version ${next + 1}`;
    const click = () => {
      this.#version = next === earlier.length ? undefined : next;
      this.#draw();
      this.#after.querySelector<HTMLElement>('.versions button')?.focus({ preventScroll: true });
    };
    const button = element('button', { type: 'button', class: 'quiet', click }, name);
    const text = `Version ${shown + 1} of ${earlier.length + 1}`;
    return element('div', { class: 'versions' }, text, button);
  }

  #belowQuestion(): Node[] {
    const note = this.#turn.pastCache && element('p', {}, 'Asked without the cache');
    const bar = actionBar(this.#turn, this.#conversation, 'question');
    return [bar, note].filter((node) => node instanceof HTMLElement);
  }

  #below(): Node[] {
    const { state, progress, isOpen } = this.#turn;
    const remedies = {
      retry: () => {
        if (!this.#conversation.askAgain(this.#turn)) sayBusy();
      },
      edit: () => this.#conversation.editRequested.emit(this.#turn),
    };
    const hasNote = state === 'waiting' || ['lost', 'stopping'].includes(progress);
    if (isOpen) return hasNote ? waitingNote(this.#turn) : [];
    const bar = actionBar(this.#turn, this.#conversation, 'answer');
    const note = this.#outcome(remedies);
    const nodes = [
      this.#versions(),
      note.length > 0 && element('div', { class: 'outcome' }, ...note),
      this.#version === undefined && showFacts(this.#turn),
      bar,
    ];
    return nodes.filter((node) => node instanceof HTMLElement);
  }
}
