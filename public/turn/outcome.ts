/** What is shown below an answer that is awaited, stopped or failed. */
import './outcome.css';
import type { AskFailure } from '../api/failure.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { keyForm } from './key-form.ts';
import { remedyOf } from './retry-after.ts';

/** A reasoning model is silent for longer than this. */
const THINKING_MS = 4000;

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
  return [element('p', {}, 'Stopped.'), element('button', { type: 'button', click: retry }, 'Ask again')];
}

/** Says why there is no answer, or asks for the key. */
export function failureNote(failure: AskFailure, retry: () => void): Node[] {
  if (failure.needsKey) return [keyForm(retry)];
  return [element('p', {}, failure.message), ...remedyOf(failure, retry)];
}
