/** Shows the text of an answer. The only entrance to this room: how the text becomes elements is its own affair. */
import './answer.css';
import './code.css';
import { loadLate } from '../parts/late.ts';

type Reader = typeof import('./reader.late.ts');

let reader: Reader | undefined;
let loading: Promise<void> | undefined;
/** What is shown as plain text until the reader is there. */
const waiting = new Map<HTMLElement, { text: string; isComplete: boolean }>();

/** Loads the part that reads Markdown. Called when the page starts, so that it is there before the first answer. */
export function startReading(): void {
  void load();
}

/**
 * Renders the Markdown of an answer in `element`. It is called again for each new piece of text, and keeps the elements of
 * what has not changed. Nothing in the text is ever run as HTML. `isComplete` means that no more text comes: then
 * definitions of links and footnotes hold for the text before them too. When elements change later, because a part of
 * the page was loaded, `element` gets the event `rendered`, which bubbles.
 */
export function renderAnswer(text: string, element: HTMLElement, isComplete = true): void {
  // For the text that stands directly in it; its blocks have their own direction.
  element.dir = 'auto';
  if (reader) {
    reader.render(text, element, isComplete);
    return;
  }
  element.textContent = text;
  if (!text) return;
  element.classList.add('plain');
  waiting.set(element, { text, isComplete });
  void load();
}

function load(): Promise<void> {
  loading ??= loadReader();
  return loading;
}

async function loadReader(): Promise<void> {
  reader = await loadLate(() => import('./reader.late.ts'));
  loading = undefined;
  if (reader) renderWaiting(reader);
}

function renderWaiting({ render }: Reader): void {
  for (const [element, { text, isComplete }] of waiting) {
    element.replaceChildren();
    element.classList.remove('plain');
    render(text, element, isComplete);
    element.dispatchEvent(new Event('rendered', { bubbles: true }));
  }
  waiting.clear();
}
