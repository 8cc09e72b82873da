/** The question of a turn. */
import './question.css';
import { element } from '../parts/dom.ts';

/** A longer question is folded. The lines are those of a wide window; a narrow one has more. */
const MAX_LINES = 12;
const LINE_LENGTH = 64;

/** Creates the bubble with the text of a question, which is shown as it is. A long one is folded. */
export function questionBubble(question: string): HTMLElement {
  // Screen readers go from turn to turn by headings; those of answers are below this level.
  const heading = element('h2', { class: 'hidden' }, 'You asked');
  const text = element('div', { class: 'question-text', dir: 'auto' }, question);
  const root = element('div', { class: 'question' }, heading, text);
  if (lineCount(question) > MAX_LINES) root.append(foldButton(root));
  return root;
}

function lineCount(text: string): number {
  let count = 0;
  for (const line of text.split('\n')) count += Math.max(1, Math.ceil(line.length / LINE_LENGTH));
  return count;
}

function foldButton(root: HTMLElement): HTMLElement {
  const button = element('button', { type: 'button', class: 'quiet' });
  const fold = (isFolded: boolean) => {
    root.classList.toggle('folded', isFolded);
    button.textContent = isFolded ? 'Show all' : 'Show less';
    button.setAttribute('aria-expanded', String(!isFolded));
  };
  button.addEventListener('click', () => {
    fold(!root.classList.contains('folded'));
    // What was below a long text stays at hand.
    root.scrollIntoView({ block: 'nearest' });
  });
  fold(true);
  return button;
}
