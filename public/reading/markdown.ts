/** Block Markdown: paragraphs, headings, lists, code, tables, quotes. */
import { codeBlock } from './code-block.ts';
import { element } from '../parts/dom.ts';
import { inline } from './inline.ts';
import { readTable, startsTable } from './table.ts';

/** A block: its source, and a function that creates its element. */
interface Block {
  source: string;
  build: () => HTMLElement;
}

/** A block that was read, and the line after it. */
interface ReadBlock {
  end: number;
  build: () => HTMLElement;
}

const FENCE = /^( {0,3})(`{3,}|~{3,}(?!~))([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s(.*))?$/s;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|(\d{1,9})[.)])( +|$)/;
/** Other tabs are kept, because code may need them. */
const TABBED_ITEM = /^\t+(?=(?:[-*+]|\d{1,9}[.)]) )/gm;
/** Limit of nested lists and quotes; deeper ones stay text. */
const MAX_DEPTH = 12;

/** The source of each rendered element. */
const sources = new WeakMap<Element, string>();

/**
 * Renders a text in `container`. Elements of unchanged blocks are kept, so that a growing text is cheap to render and
 * selected text stays selected.
 */
export function renderMarkdown(container: HTMLElement, text: string): void {
  const spaced = text.replaceAll(TABBED_ITEM, (tabs) => '    '.repeat(tabs.length));
  const blocks = readBlocks(spaced.split(/\r\n?|\n/), 0);
  for (const [index, { source, build }] of blocks.entries()) {
    const present = container.children[index];
    if (present && sources.get(present) === source) continue;
    const built = build();
    sources.set(built, source);
    if (present) present.replaceWith(built);
    else container.append(built);
  }
  while (container.children.length > blocks.length) container.lastElementChild?.remove();
}

function readBlocks(lines: string[], depth: number): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at]?.trim() === '') {
      at++;
      continue;
    }
    const { end, build } = readBlock(lines, at, depth);
    blocks.push({ source: lines.slice(at, end).join('\n'), build });
    at = end;
  }
  return blocks;
}

/** Reads the block that starts at a line. */
function readBlock(lines: string[], at: number, depth: number): ReadBlock {
  const line = lines[at] ?? '';
  const fence = FENCE.exec(line);
  if (fence) return readCode(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) {
    // The page itself uses the first two levels.
    const level = `h${Math.min(6, (heading[1] ?? '').length + 2)}` as 'h3' | 'h4' | 'h5' | 'h6';
    const text = (heading[2] ?? '').trimEnd().replace(/(?:^|\s)#+$/, '');
    return { end: at + 1, build: () => element(level, {}, inline(text.trim())) };
  }
  if (RULE.test(line)) return { end: at + 1, build: () => element('hr') };
  if (depth < MAX_DEPTH && QUOTE.test(line)) return readQuote(lines, at, depth);
  if (depth < MAX_DEPTH && ITEM.test(line)) return readList(lines, at, depth);
  if (startsTable(lines, at)) return readTable(lines, at);
  let end = at + 1;
  while (end < lines.length && !endsParagraph(lines, end)) end++;
  const text = lines.slice(at, end).map((each) => each.trimStart());
  return { end, build: () => element('p', {}, inline(text.join('\n').trimEnd())) };
}

function endsParagraph(lines: string[], at: number): boolean {
  const line = lines[at] ?? '';
  if (line.trim() === '' || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line))
    return true;
  return ITEM.test(line) || startsTable(lines, at);
}

function readCode(
  lines: string[],
  at: number,
  [, indent = '', fence = '', info = '']: RegExpExecArray,
): ReadBlock {
  const [language = ''] = info.trim().split(/\s/);
  const closing = (line: string) =>
    line.trim().startsWith(fence) && line.trim().replaceAll(fence[0] ?? '', '') === '';
  let end = at + 1;
  while (end < lines.length && !closing(lines[end] ?? '')) end++;
  const code = lines.slice(at + 1, end).map((line) => {
    const own = line.length - line.trimStart().length;
    return line.slice(Math.min(own, indent.length));
  });
  return { end: end + 1, build: () => codeBlock(code.join('\n'), language) };
}

function readQuote(lines: string[], at: number, depth: number): ReadBlock {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end] ?? '')) end++;
  const quoted = lines.slice(at, end).map((line) => line.replace(QUOTE, ''));
  return { end, build: () => element('blockquote', {}, ...buildAll(quoted, depth + 1)) };
}

function readList(lines: string[], at: number, depth: number): ReadBlock {
  const [, indent = '', marker = '', number] = ITEM.exec(lines[at] ?? '') ?? [];
  const kind = marker.at(-1);
  const items: string[][] = [];
  let end = at;
  while (end < lines.length) {
    const line = lines[end] ?? '';
    const item = ITEM.exec(line);
    const own = line.length - line.trimStart().length;
    if (line.trim() === '') {
      // An empty line belongs to the list if the list continues after it.
      const next = lines.slice(end, end + 4).find((each) => each.trim() !== '') ?? '';
      const nextOwn = next.length - next.trimStart().length;
      if (nextOwn < indent.length + 2 && ITEM.exec(next)?.[2]?.at(-1) !== kind) break;
      items.at(-1)?.push('');
    } else if (item && own < indent.length + 2) {
      if (item[2]?.at(-1) !== kind || own < indent.length || RULE.test(line)) break;
      items.push([line.slice(item[0].length)]);
    } else if (own >= indent.length + 2) {
      items.at(-1)?.push(line.slice(Math.min(own, indent.length + marker.length + 1)));
    } else {
      if (lines[end - 1]?.trim() === '' || endsParagraph(lines, end)) break;
      items.at(-1)?.push(line.trimStart());
    }
    end++;
  }
  const isLoose = items.some(([, ...more]) => more.includes(''));
  const build = () => {
    const children = items.map((item) => element('li', {}, ...listItem(item, depth + 1, isLoose)));
    return number === undefined
      ? element('ul', {}, ...children)
      : element('ol', { start: Number(number) === 1 ? undefined : Number(number) }, ...children);
  };
  return { end, build };
}

/** The content of an item. Paragraphs of a tight list become text. */
function listItem(lines: string[], depth: number, isLoose: boolean): Node[] {
  const built = buildAll(lines, depth);
  if (isLoose) return built;
  return built.map((each) => {
    if (each.tagName !== 'P') return each;
    const text = document.createDocumentFragment();
    text.append(...each.childNodes);
    return text;
  });
}

function buildAll(lines: string[], depth: number): HTMLElement[] {
  return readBlocks(lines, depth).map(({ build }) => build());
}
