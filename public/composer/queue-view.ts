/** The questions that wait for the answer before them, above the input. */
import './queue.css';
import type { Conversation } from '../model/conversation.ts';
import { Queue } from '../model/queue.ts';
import { element } from '../parts/dom.ts';
import { icon } from '../parts/icon.ts';

/** Shows the waiting questions of the conversation, and asks them in turn. */
export class QueueView {
  readonly root = element('ol', { class: 'queue', 'aria-label': 'Waiting questions' });
  readonly #conversation: Conversation;
  readonly #queue = new Queue();
  readonly #focusInput: () => void;
  /** The last question has failed: the next one would probably fail too. */
  #isHeld = false;

  constructor(conversation: Conversation, focusInput: () => void) {
    this.#conversation = conversation;
    this.#focusInput = focusInput;
    this.#queue.changed.listen(() => this.#draw());
    conversation.opened.listen(() => this.#hold(false));
    conversation.readFailed.listen(() => this.#hold(true));
    conversation.settled.listen(({ failure }) => this.#hold(failure !== undefined));
    // Others listen to the same, and have to hear it first.
    conversation.busyChanged.listen(() => queueMicrotask(() => this.#goOn()));
  }

  /** Adds a question. It is asked when the answer in progress has ended. */
  add(question: string): void {
    const { sessionId } = this.#conversation;
    if (sessionId !== null) this.#queue.add(sessionId, question);
  }

  #hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#draw();
  }

  #goOn(): void {
    if (!this.#conversation.isBusy && !this.#isHeld) this.#ask(0);
    this.#draw();
  }

  #ask(index: number): void {
    const { isBusy, sessionId } = this.#conversation;
    const question = isBusy ? undefined : this.#queue.take(sessionId, index);
    if (question !== undefined) this.#conversation.start(question);
  }

  #draw(): void {
    const { sessionId, isBusy } = this.#conversation;
    const rows = this.#queue.of(sessionId).map((question, index) => this.#row(question, index, !isBusy));
    const hadFocus = this.root.contains(document.activeElement);
    this.root.replaceChildren(...rows);
    this.root.hidden = rows.length === 0;
    if (hadFocus) (this.root.querySelector('button') ?? { focus: this.#focusInput }).focus();
  }

  #row(question: string, index: number, canAsk: boolean): HTMLElement {
    const remove = () => void this.#queue.take(this.#conversation.sessionId, index);
    return element(
      'li',
      {},
      element('span', { class: 'note' }, 'Next: '),
      element('span', { class: 'queued', dir: 'auto' }, question),
      canAsk &&
        element('button', { type: 'button', class: 'quiet', click: () => this.#ask(index) }, 'Ask now'),
      element(
        'button',
        { type: 'button', class: 'icon-button small', 'aria-label': 'Remove from the queue', click: remove },
        icon('close'),
      ),
    );
  }
}
