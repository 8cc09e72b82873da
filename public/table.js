/** Markdown tables. */
import { element } from './dom.js';
import { inline } from './inline.js';

const TABLE_RULE = /^[ |:-]*$/;

/**
 * Whether a table starts at a line: a line with bars, followed by one of bars and dashes.
 * @param {string[]} lines
 * @param {number} at
 */
export function startsTable(lines, at) {
  const rule = lines[at + 1] ?? '';
  if (!lines[at]?.includes('|') || !rule.includes('-') || !rule.includes('|') || !TABLE_RULE.test(rule))
    return false;
  return cells(rule).every((cell) => /^:?-+:?$/.test(cell));
}

/**
 * Reads the table that starts at a line: its end, and a function that creates its element. Short rows are not padded,
 * so that a short text cannot become a huge table.
 * @param {string[]} lines
 * @param {number} at
 */
export function readTable(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end]?.includes('|')) end++;
  const alignments = cells(lines[at + 1] ?? '').map((cell) => {
    if (cell.endsWith(':')) return cell.startsWith(':') ? 'center' : 'right';
    return undefined;
  });
  /** @param {string} line @param {'th' | 'td'} tag */
  const row = (line, tag) => {
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

/** Splits a row into cells, except at escaped bars. @param {string} line */
function cells(line) {
  const inner = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}
