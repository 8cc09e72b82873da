/** The question of a turn. */
import './question.css';
import { element } from '../parts/dom.ts';

/** Creates the bubble with the text of a question, which is shown as it is. */
export function questionBubble(question: string): HTMLElement {
  // Screen readers go from turn to turn by headings; those of answers are below this level.
  const heading = element('h2', { class: 'hidden' }, 'You asked');
  return element('div', { class: 'question' }, heading, question);
}
