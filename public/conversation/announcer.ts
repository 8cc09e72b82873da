/** Tells screen readers what has happened. */
import { byId } from '../parts/dom.ts';

/** Sets the text that is read aloud; an empty text when there is nothing to say any more. */
export function announce(text: string): void {
  byId('status', HTMLElement).textContent = text;
}
