/** Shows earlier turns of a long conversation on request, while the text that is being read stays where it is. */
import type { Conversation } from '../model/conversation.ts';
import { element } from '../parts/dom.ts';
import { announce } from './announcer.ts';

const OFFER = 'Show earlier';

/** The button above the first turn, and what it does. */
export class EarlierTurns {
  readonly #conversation: Conversation;
  readonly #place: HTMLElement;
  readonly #list: HTMLElement;
  readonly #failure = element('p');
  readonly #button = element('button', { type: 'button', click: () => this.#read() }, OFFER);

  /** `place` is above `list`, which has an element for each turn. */
  constructor(conversation: Conversation, place: HTMLElement, list: HTMLElement) {
    this.#conversation = conversation;
    this.#place = place;
    this.#list = list;
    conversation.earlierFailed.listen(({ message }) => {
      const text = `Earlier messages could not be read. ${message}`;
      this.#failure.textContent = text;
      this.#button.textContent = OFFER;
      announce(text);
    });
  }

  /** Shows the button if there are earlier turns. */
  offer(): void {
    this.#failure.textContent = '';
    this.#button.textContent = OFFER;
    const nodes = this.#conversation.next === null ? [] : [this.#failure, this.#button];
    this.#place.replaceChildren(...nodes);
  }

  /** Adds elements of earlier turns. The focus goes to the turn that was the first one, where reading goes on. */
  show(added: readonly HTMLElement[]): void {
    const first = this.#list.firstElementChild;
    const hadFocus = this.#place.contains(document.activeElement);
    const root = document.documentElement;
    const topBefore = first?.getBoundingClientRect().top ?? 0;
    // The browser's own correction would come on top of the one here.
    root.style.overflowAnchor = 'none';
    this.#list.prepend(...added);
    this.offer();
    if (first instanceof HTMLElement) {
      scrollBy({ top: first.getBoundingClientRect().top - topBefore, behavior: 'instant' });
      if (hadFocus) focusOnce(first);
    }
    requestAnimationFrame(() => (root.style.overflowAnchor = ''));
    announce(
      added.length === 1 ? 'One earlier question is shown.' : `${added.length} earlier questions are shown.`,
    );
  }

  #read(): void {
    this.#failure.textContent = '';
    this.#button.textContent = 'Reading earlier messages';
    announce('Reading earlier messages');
    void this.#conversation.readEarlier();
  }
}

/** Focuses an element that otherwise cannot have the focus. */
function focusOnce(target: HTMLElement): void {
  target.tabIndex = -1;
  target.addEventListener('blur', () => target.removeAttribute('tabindex'), { once: true });
  target.focus({ preventScroll: true });
}
