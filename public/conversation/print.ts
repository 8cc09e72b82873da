/** Prints the conversation: all of it, with formulas that fit on the paper. */
import type { Conversation } from '../model/conversation.ts';
import type { MenuGroup } from '../parts/menu.ts';

/** The text on paper may be a little narrower than in a window. */
const MARGIN = 0.9;

/** Makes each printing fit, also one that the menu of the browser has begun. */
export function startPrinting(conversation: Conversation): void {
  addEventListener('beforeprint', () => {
    for (const formula of document.querySelectorAll<HTMLElement>('.math.display')) {
      const { scrollWidth, clientWidth } = formula;
      if (scrollWidth > clientWidth) formula.style.fontSize = `${(MARGIN * clientWidth) / scrollWidth}em`;
    }
  });
  addEventListener('afterprint', () => {
    for (const formula of document.querySelectorAll<HTMLElement>('.math.display'))
      formula.style.fontSize = '';
  });
  addEventListener('keydown', (event) => {
    if (event.key !== 'p' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void printAll(conversation);
  });
}

/** The command, for a menu; none for an empty conversation. */
export const printChoice = (conversation: Conversation): MenuGroup[] =>
  conversation.turns.length === 0
    ? []
    : [{ items: [{ label: 'Print', icon: 'print', run: () => void printAll(conversation) }] }];

/** Prints the conversation with its earlier pages. When one cannot be read, the page says so, and nothing is printed. */
async function printAll(conversation: Conversation): Promise<void> {
  for (let { next } = conversation; next !== null; { next } = conversation) {
    await conversation.readEarlier();
    if (conversation.next === next) return;
  }
  // Formulas are set in a microtask after their text.
  await new Promise(requestAnimationFrame);
  print();
}
