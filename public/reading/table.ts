/** Tables. */
import type { Tokens } from 'marked';
import { element } from '../parts/dom.ts';
import type { Footnotes } from './footnotes.ts';
import { inline } from './inline.ts';
import { type Block, reconcile } from './reconcile.ts';

type Cell = Tokens.TableCell;

const LETTER = /\p{L}/u;

/** A table. While it is `isOpen`, rows are added to it, and it does not become narrower. */
export function tableBlock(token: Tokens.Table, key: string, notes: Footnotes, isOpen: boolean): Block {
  const rows = () => token.rows.map((cells) => rowBlock(cells, notes));
  const head = token.header.map(({ text }) => text).join(' | ');
  return {
    key: `${key} ${isOpen}`,
    kind: `table ${head}`,
    build() {
      const body = element('tbody');
      reconcile(body, rows());
      const table = element(
        'table',
        { dir: 'auto' },
        element('thead', {}, row(token.header, notes, true)),
        body,
      );
      // Focusable, so that it can be scrolled with the keyboard.
      return element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' }, table);
    },
    update(present) {
      const table = present.querySelector('table');
      const body = table?.querySelector('tbody');
      if (!table || !body) return;
      // Half a link is longer than the link.
      table.style.minWidth = isOpen ? `max(100%, ${table.offsetWidth}px)` : '';
      reconcile(body, rows());
    },
  };
}

function rowBlock(cells: Cell[], notes: Footnotes): Block {
  const key = cells.map(({ text }) => text).join('\n');
  return { key, kind: 'row', build: () => row(cells, notes, false) };
}

function row(cells: Cell[], notes: Footnotes, isHead: boolean): HTMLElement {
  const made = cells.map(({ text, tokens, align }) => {
    // A header cell without a text would name nothing.
    const tag = isHead && text.trim() ? 'th' : 'td';
    const alignment = align === 'center' || align === 'right' ? align : '';
    const classes = `${alignment}${LETTER.test(text) ? '' : ' neutral'}`.trim();
    return element(tag, { class: classes || undefined }, inline(tokens, notes));
  });
  return element('tr', {}, ...made);
}
