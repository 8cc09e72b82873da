/** Says below the input that a question is too long, before it is sent. */
import './length-note.css';
import type { AskFailure } from '../api/failure.ts';
import { limitIn, usualLimit } from '../api/question-limit.ts';
import { formatNumber } from '../measurements/format.ts';
import { element } from '../parts/dom.ts';
import { stored } from '../parts/storage.ts';

/** A text of this length makes the page look the usual limit up. */
const LOOK_UP_FROM = 8000;
/** The part of the limit from which the length is shown. */
const NEAR = 0.9;

const isCount = (value: unknown): value is number => typeof value === 'number' && value > 0;

/** The length of the question and its limit, once one of them matters. */
export class LengthNote {
  readonly root: HTMLElement;
  readonly #input: HTMLTextAreaElement;
  /** Screen readers read its text when it changes, and not each count. */
  readonly #verdict = element('span', { role: 'status' });
  readonly #count = element('span');
  /** The limit that the server has stated. An operator may change it, so it is forgotten with the tab. */
  readonly #stated = stored('composer.limit', isCount, 'session');
  #usual: Promise<number | undefined> | undefined;
  #usualLimit: number | undefined;

  constructor(input: HTMLTextAreaElement) {
    this.#input = input;
    this.root = element('p', { id: 'length' }, this.#verdict, ' ', this.#count);
  }

  /** By how many characters the question exceeds the limit that the server has stated; 0 when it may be sent. */
  get excess(): number {
    return Math.max(0, this.#input.value.length - (this.#stated.get() ?? Infinity));
  }

  /** Learns the limit from a refusal. */
  learn(failure: AskFailure): void {
    const limit = limitIn(failure);
    if (limit !== undefined) this.#stated.set(limit);
    this.update();
  }

  /** Shows what has to be said about the present text. */
  update(): void {
    const { length } = this.#input.value;
    const stated = this.#stated.get();
    const limit = stated ?? this.#usualLimit;
    if (limit === undefined && length >= LOOK_UP_FROM) void this.#lookUp();
    const isShown = limit !== undefined && length > NEAR * limit;
    const isOver = limit !== undefined && length > limit;
    this.#input.setAttribute('aria-invalid', String(this.excess > 0));
    this.root.classList.toggle('over', isOver);
    // Without a statement of this server, the question may be sent: the text comes back if it is refused.
    const verdict = stated === undefined ? 'The question may be too long.' : 'The question is too long.';
    show(this.#verdict, isOver ? verdict : '');
    const kind = stated === undefined ? ' usual' : '';
    show(
      this.#count,
      isShown ? `${formatNumber(length)} of the${kind} ${formatNumber(limit)} characters` : '',
    );
  }

  async #lookUp(): Promise<void> {
    this.#usual ??= usualLimit();
    this.#usualLimit = await this.#usual;
    if (this.#usualLimit !== undefined) this.update();
  }
}

function show(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
