/** Shows the text of an answer. The only entrance to this room: how the text becomes elements is its own affair. */
import './answer.css';
import { renderMarkdown } from './markdown.ts';

/**
 * Renders the Markdown of an answer, complete or not yet, in `element`. It is called again for each new piece of text, and
 * keeps the elements of what has not changed. Nothing in the text is ever run as HTML.
 */
export function renderAnswer(text: string, element: HTMLElement): void {
  renderMarkdown(element, text);
}
