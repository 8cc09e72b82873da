/** Where the question is written: Enter sends, Shift+Enter starts a line, Escape stops. */
import { byId } from './dom.js';

/** The box at the foot of the page. */
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
      // Not while an input method composes a character, where Enter chooses one.
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

  /** While an answer is under way, it can be stopped and nothing can be sent. @param {boolean} underWay */
  show(underWay) {
    this.#send.hidden = underWay;
    this.#stop.hidden = !underWay;
    // The focus is never lost with a button that goes, nor taken from where the reader has put it.
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || activeElement.closest('[hidden]')) this.focus();
  }

  /** As high as its text, up to the limit in style.css. */
  #fit() {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight + 2}px`;
  }
}
