/** The input: Enter sends, Shift+Enter starts a line, Escape stops. */
import { byId } from './dom.js';

/** The form at the bottom of the page. */
export class Composer {
  #form = byId('composer', HTMLFormElement);
  #input = byId('question', HTMLTextAreaElement);
  #send = byId('send', HTMLButtonElement);
  #stop = byId('stop', HTMLButtonElement);

  /** @param {(question: string) => void} ask @param {() => void} stop */
  constructor(ask, stop) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const question = this.#input.value;
      if (this.#send.hidden || question.trim() === '') return;
      this.#input.value = '';
      this.#fit();
      ask(question);
    });
    this.#input.addEventListener('keydown', (event) => {
      // During composition, Enter selects a character of the input method.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#input.addEventListener('input', () => this.#fit());
    this.#fit();
    this.#stop.addEventListener('click', stop);
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing && !this.#stop.hidden) stop();
    });
  }

  focus() {
    this.#input.focus({ preventScroll: true });
  }

  /** Shows the Stop or the Send button. @param {boolean} pending */
  show(pending) {
    this.#send.hidden = pending;
    this.#stop.hidden = !pending;
    // Takes the focus only if no visible element has it, for example after its button was hidden.
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || activeElement.closest('[hidden]')) this.focus();
  }

  /** Fits the height to the text; page.css limits it. */
  #fit() {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight + 2}px`;
  }
}
