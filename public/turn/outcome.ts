/** What is shown below an answer that is awaited, cut, stopped or failed. */
import './outcome.css';
import type { ErrorCode } from '../../src/lib/contract/responses.ts';
import type { AskFailure } from '../api/failure.ts';
import type { Progress, Turn } from '../model/turn.ts';
import { formatUptime } from '../measurements/format.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { keyForm } from './key-form.ts';
import { remedyOf } from './retry-after.ts';

/** A reasoning model is silent for longer than this. */
const THINKING_MS = 4000;
const COUNT_MS = 250;

const PROGRESS: Partial<Record<Progress, string>> = {
  resumed: 'Still answering',
  lost: 'The connection is lost. The answer continues when it is back.',
  stopping: 'Stopping',
};

/** Moving dots, and what is known; after some seconds without any text, that the model is thinking. */
export function waitingNote(turn: Turn): Node[] {
  const { progress, waitsUntil } = turn;
  if (waitsUntil > 0 && progress !== 'stopping') return [quotaNote(waitsUntil)];
  const known = PROGRESS[progress];
  const note = known === undefined ? hiddenText('Waiting') : element('span', { class: 'thinking' }, known);
  if (known === undefined)
    setTimeout(() => {
      note.className = 'thinking';
      note.textContent = 'The model is thinking';
    }, THINKING_MS);
  return [element('span', { class: 'dots' }, element('i'), element('i'), element('i')), note];
}

/** Counts the seconds down until the model can be asked again. */
function quotaNote(until: number): HTMLElement {
  const count = element('span', { 'aria-hidden': 'true' });
  const note = element('p', { class: 'thinking', role: 'status' }, 'The quota is used up, ', count);
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    count.textContent = left > 0 ? `${left} s left` : 'asking again';
    if (left > 0) setTimeout(tick, COUNT_MS);
  };
  tick();
  return note;
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

/** Says that the answer is an expired one; nothing about others. */
export function expiredNote({ metrics }: Turn): Node[] {
  if (metrics?.cache.result !== 'stale') return [];
  const age = formatUptime(metrics.cache.age ?? 0);
  return [element('p', {}, `From the cache, ${age} old, because the model did not answer.`)];
}

/** Says that the answer was stopped, and what becomes of the text that came. */
export function stoppedNote({ answer, progress }: Turn, { retry }: Remedies): Node[] {
  const kept = answer === '' ? '' : ' The text that came is kept.';
  const text =
    progress === 'lost'
      ? 'Stopped on this page only: the server could not be told, and may answer all the same.'
      : `Stopped.${kept}`;
  return [element('p', {}, text), element('button', { type: 'button', click: retry }, 'Ask again')];
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
