/** What is shown below an answer that is awaited, stopped or failed. */
import './outcome.css';
import type { AskFailure } from '../api/failure.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { keyForm } from './key-form.ts';

/** A reasoning model is silent for longer than this. */
const THINKING_MS = 4000;
const COUNT_MS = 250;

/** Moving dots, and after some seconds a text. */
export function waitingNote(): Node[] {
  const note = hiddenText('Waiting');
  setTimeout(() => {
    note.className = 'thinking';
    note.textContent = 'The model is thinking';
  }, THINKING_MS);
  return [element('span', { class: 'dots' }, element('i'), element('i'), element('i')), note];
}

/** Says that the answer was stopped. */
export function stoppedNote(retry: () => void): Node[] {
  return [element('p', {}, 'Stopped.'), retryButton('Ask again', 0, retry)];
}

/** Says why there is no answer, or asks for the key. */
export function failureNote(failure: AskFailure, retry: () => void): Node[] {
  if (failure.needsKey) return [keyForm(retry)];
  return [element('p', {}, failure.message), retryButton('Try again', failure.retryAfter, retry)];
}

/** A button that can be pressed after some seconds, and counts them down. */
function retryButton(label: string, seconds: number, press: () => void): HTMLButtonElement {
  const button = element('button', { type: 'button', click: press }, label);
  const end = performance.now() + 1000 * seconds;
  const count = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left > 0) setTimeout(count, COUNT_MS);
  };
  count();
  return button;
}
