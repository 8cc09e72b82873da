/** The elements of a question and its answer. */
import { element } from './dom.js';
import { factsOf, kindOf } from './facts.js';
import { renderMarkdown } from './markdown.js';

/** @import { PerformanceMetrics } from '../src/lib/contract/metrics.ts' */

/** A reasoning model is silent for longer than this. */
const THINKING_MS = 4000;
const FRAME_MS = 16;

/** A question in the conversation, and its answer while it arrives. */
export class Turn {
  #text = element('div', { class: 'text' });
  #after = element('div', { class: 'after' });
  #drawing = 0;
  /** Duration of the last rendering. */
  #drawMs = 0;
  #source = '';

  /** @param {string} question */
  constructor(question) {
    this.question = question;
    this.root = element(
      'li',
      { class: 'turn' },
      element('div', { class: 'question' }, hidden('You asked: '), question),
      element('div', { class: 'answer' }, hidden('Answer: '), this.#text, this.#after),
    );
    this.restart();
  }

  /** The answer as plain text, for screen readers. */
  get spoken() {
    return this.#text.innerText;
  }

  /** Clears the answer for a retry. */
  restart() {
    const note = hidden('Waiting');
    this.#show('');
    this.#end('waiting', element('span', { class: 'dots' }, element('i'), element('i'), element('i')), note);
    setTimeout(() => {
      note.className = 'thinking';
      note.textContent = 'The model is thinking';
    }, THINKING_MS);
  }

  /**
   * Adds text to the answer, which is rendered at most once a frame.
   * @param {string} text
   * @param {() => void} drawn
   */
  append(text, drawn) {
    this.#source += text;
    // Each time renders the whole answer; it may use a fifth of the CPU.
    this.#drawing ||= window.setTimeout(
      () => {
        const startedAt = performance.now();
        this.#end('writing');
        this.#show(this.#source);
        drawn();
        this.#drawMs = performance.now() - startedAt;
      },
      Math.max(FRAME_MS, 4 * this.#drawMs),
    );
  }

  /**
   * Shows the whole answer, with its facts if known.
   * @param {string} text
   * @param {PerformanceMetrics} [metrics]
   */
  finish(text, metrics) {
    this.#show(text);
    const facts = metrics ? factsOf(metrics) : [];
    const list = element('ul', { class: 'facts' }, ...facts.map((fact) => element('li', {}, fact)));
    if (metrics) list.classList.add(kindOf(metrics));
    this.#end('done', metrics && list);
  }

  /** Keeps the partial answer. @param {() => void} retry */
  stop(retry) {
    this.#show(this.#source);
    this.#end('stopped', element('p', {}, 'Stopped.'), retryButton('Ask again', 0, retry));
  }

  /**
   * Shows an error below the partial answer.
   * @param {string} message
   * @param {number} retryAfter seconds
   * @param {() => void} retry
   */
  fail(message, retryAfter, retry) {
    this.#show(this.#source);
    this.#end('failed', element('p', {}, message), retryButton('Try again', retryAfter, retry));
  }

  /** @param {HTMLElement} form */
  askForKey(form) {
    this.#end('failed', form);
  }

  /** @param {string} source */
  #show(source) {
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    this.#source = source;
    renderMarkdown(this.#text, source);
  }

  /**
   * @param {'waiting' | 'writing' | 'done' | 'stopped' | 'failed'} state
   * @param {...(Node | undefined)} content
   */
  #end(state, ...content) {
    this.root.dataset['state'] = state;
    this.#after.replaceChildren(...content.filter((node) => node !== undefined));
  }
}

/** @param {string} text */
function hidden(text) {
  return element('span', { class: 'hidden' }, text);
}

/**
 * A button that can be pressed after some seconds, and counts them down.
 * @param {string} label
 * @param {number} seconds
 * @param {() => void} press
 */
function retryButton(label, seconds, press) {
  const button = element('button', { type: 'button', click: press }, label);
  const end = performance.now() + 1000 * seconds;
  const count = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left > 0) setTimeout(count, 250);
  };
  count();
  return button;
}
