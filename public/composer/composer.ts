/** The input: Enter sends, Shift+Enter starts a line, Escape stops. */
import './composer.css';
import type { Conversation } from '../model/conversation.ts';
import { byId } from '../parts/dom.ts';
import { isCovered } from '../parts/sheet.ts';

/** The form at the bottom of the page. */
export class Composer {
  readonly #conversation: Conversation;
  readonly #form = byId('composer', HTMLFormElement);
  readonly #input = byId('question', HTMLTextAreaElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    conversation.busyChanged.listen((isBusy) => this.#show(isBusy));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => {
      // During composition, Enter selects a character of the input method.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#input.addEventListener('input', () => this.#fit());
    this.#fit();
    this.#stop.addEventListener('click', () => this.#stopAnswer());
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing || isCovered()) return;
      if (conversation.isBusy) this.#stopAnswer();
    });
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  #submit(): void {
    const question = this.#input.value;
    if (question.trim() === '' || !this.#conversation.start(question)) return;
    this.#input.value = '';
    this.#fit();
  }

  #stopAnswer(): void {
    this.#conversation.stop();
    this.focus();
  }

  /** Shows the Stop or the Send button. */
  #show(isBusy: boolean): void {
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    // Takes the focus only if no visible element has it, for example after its button was hidden.
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || activeElement.closest('[hidden]')) this.focus();
  }

  /** Fits the height to the text; composer.css limits it. */
  #fit(): void {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
