/** Markdown tables. */
import { element } from '../parts/dom.ts';
import { inline } from './inline.ts';

const TABLE_RULE = /^[ |:-]*$/;

/** Whether a table starts at a line: a line with bars, followed by one of bars and dashes. */
export function startsTable(lines: string[], at: number): boolean {
  const rule = lines[at + 1] ?? '';
  if (!lines[at]?.includes('|') || !rule.includes('-') || !rule.includes('|') || !TABLE_RULE.test(rule))
    return false;
  return cells(rule).every((cell) => /^:?-+:?$/.test(cell));
}

/**
 * Reads the table that starts at a line: its end, and a function that creates its element. Short rows are not padded,
 * so that a short text cannot become a huge table.
 */
export function readTable(lines: string[], at: number): { end: number; build: () => HTMLElement } {
  let end = at + 2;
  while (end < lines.length && lines[end]?.includes('|')) end++;
  const alignments = cells(lines[at + 1] ?? '').map((cell) => {
    if (cell.endsWith(':')) return cell.startsWith(':') ? 'center' : 'right';
    return undefined;
  });
  const row = (line: string, tag: 'th' | 'td') => {
    const made = cells(line).slice(0, alignments.length);
    return element(
      'tr',
      {},
      ...made.map((cell, column) => element(tag, { class: alignments[column] }, inline(cell))),
    );
  };
  const build = () =>
    element(
      'div',
      // Focusable, so that it can be scrolled with the keyboard.
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' },
      element(
        'table',
        {},
        element('thead', {}, row(lines[at] ?? '', 'th')),
        element('tbody', {}, ...lines.slice(at + 2, end).map((line) => row(line, 'td'))),
      ),
    );
  return { end, build };
}

/** Splits a row into cells, except at escaped bars. */
function cells(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}
