/** The list of conversations at the left. */
import { element } from '../parts/dom.ts';

/** Shows the list in `container`. */
export function startSessionList(container: HTMLElement): void {
  const note = 'Keep the address of a conversation to return to it. Whoever has the address can read it.';
  container.append(element('p', { class: 'note' }, note));
}
