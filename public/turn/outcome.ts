/** What is shown below an answer that is awaited, cut, stopped or failed. */
import './outcome.css';
import type { ErrorCode } from '../../src/lib/contract/responses.ts';
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

/** What the user can do about a turn without a complete answer. */
export interface Remedies {
  retry: () => void;
  edit: () => void;
}

/** The codes of failures that the same question would meet again, until it or the server is changed. */
const LASTING: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  'body_too_large',
  'content_filtered',
  'conversation_too_long',
  'invalid_request',
  'misconfigured',
  'model_misconfigured',
  'output_limit_reached',
  'question_too_long',
]);

/** Says that the answer is not complete. */
export const cutNote = (): Node[] => [
  element('p', {}, 'This answer was cut at the output limit. Ask for the rest, or for a shorter answer.'),
];

/** Says that the answer was stopped, and what becomes of the text that came. */
export function stoppedNote(hasText: boolean, { retry }: Remedies): Node[] {
  const kept = hasText ? ' The text that came stays here until you leave this conversation.' : '';
  return [
    element('p', {}, `Stopped.${kept}`),
    element('button', { type: 'button', click: retry }, 'Ask again'),
  ];
}

/** Says why there is no answer, or asks for the key. Offers another attempt only if it can succeed. */
export function failureNote(failure: AskFailure, { retry, edit }: Remedies): Node[] {
  if (failure.needsKey) return [keyForm(retry)];
  if (LASTING.has(failure.code))
    return [
      element('p', {}, failure.message),
      element('button', { type: 'button', click: edit }, 'Edit question'),
    ];
  return [element('p', {}, failure.message), ...remedyOf(failure, retry)];
}
