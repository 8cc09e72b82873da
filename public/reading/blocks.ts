/** Tokens of blocks as elements: paragraphs, headings, lists, quotes, code, tables. */
import type { MarkedToken, Token, Tokens } from 'marked';
import { element } from '../parts/dom.ts';
import { plainText } from './characters.ts';
import { codeBlock } from './code-block.ts';
import type { FootnoteToken, MathToken } from './extensions.ts';
import { footnoteItem, type Footnotes } from './footnotes.ts';
import { inline } from './inline.ts';
import { math } from './math.ts';
import { type Block, reconcile } from './reconcile.ts';
import { tableBlock } from './table.ts';

type BlockToken = MarkedToken | MathToken | FootnoteToken;

/** What the elements of an answer depend on beside their tokens. */
export interface Context {
  notes: Footnotes;
  /** Depths of the headings around, outermost first: no level of the outline is left out. */
  depths: number[];
  /** Whether brackets can mean something else than before, because their definitions came. */
  version: string;
}

/** A longer paragraph is plain text in pieces, of which the browser lays out those in view. */
const MAX_PARAGRAPH = 20_000;
const PIECE = /[^]{1,5000}/gu;
const CLOSED_FENCE = /\n {0,3}(?:`{3,}|~{3,})[ \t]*\n*$/;

/** The blocks of tokens. `isOpen` means that the last one is not complete. */
export function blocksOf(tokens: readonly Token[], context: Context, isOpen: boolean): Block[] {
  return tokens.flatMap((token, at) => {
    const block = blockOf(token as BlockToken, context, isOpen && at === tokens.length - 1);
    return block ? [block] : [];
  });
}

/** The list of all footnotes, as the last block. */
export function footnotesBlock(context: Context): Block[] {
  const { all } = context.notes;
  if (all.length === 0) return [];
  const build = () => {
    const items = all.map(({ tokens }, at) => footnoteItem(at + 1, itemNodes(tokens, context, false)));
    return element('section', { class: 'footnotes', 'aria-label': 'Footnotes' }, element('ol', {}, ...items));
  };
  return [{ key: all.map(({ raw }) => raw).join(''), kind: 'footnotes', build }];
}

function blockOf(token: BlockToken, context: Context, isOpen: boolean): Block | undefined {
  const { notes, version } = context;
  const key = `${token.type} ${token.raw.trimEnd()}${token.raw.includes('[') ? version : ''}`;
  const block = (build: () => HTMLElement): Block => ({ key, kind: token.type, build });
  switch (token.type) {
    case 'space':
    case 'def':
    case 'footnote':
      return undefined;
    case 'heading':
      return headingBlock(token, key, context);
    case 'hr':
      return block(() => element('hr'));
    case 'code':
      return codeBlock(token.text, token.lang ?? '', isOpen && !CLOSED_FENCE.test(token.raw));
    case 'blockquote':
      return block(() => element('blockquote', {}, ...blocksOf(token.tokens, context, isOpen).map(built)));
    case 'list':
      return listBlock(token, key, context, isOpen);
    case 'table':
      return tableBlock(token, key, notes, isOpen);
    case 'math':
      return block(() => element('p', {}, math(token)));
    case 'paragraph':
    case 'text':
      if (token.raw.length > MAX_PARAGRAPH) return block(() => longParagraph(token.raw));
      return block(() => element('p', {}, inline(token.tokens, notes)));
    default:
      return block(() => element('p', {}, plainText(token.raw.trimEnd())));
  }
}

function longParagraph(text: string): HTMLElement {
  const pieces = text.match(PIECE) ?? [];
  return element('p', { class: 'long' }, ...pieces.map((piece) => element('span', {}, plainText(piece))));
}

const built = (block: Block): HTMLElement => block.build();

function headingBlock(token: Tokens.Heading, key: string, { notes, depths }: Context): Block {
  while ((depths.at(-1) ?? 0) >= token.depth) depths.pop();
  depths.push(token.depth);
  // The page itself uses the first two levels.
  const level = `h${Math.min(6, depths.length + 2)}` as 'h3' | 'h4' | 'h5' | 'h6';
  return {
    key: `${level} ${key}`,
    kind: level,
    build: () => element(level, {}, inline(token.tokens, notes)),
  };
}

function listBlock(token: Tokens.List, key: string, context: Context, isOpen: boolean): Block {
  const { ordered, start, loose, items } = token;
  const tag = ordered ? 'ol' : 'ul';
  const itemBlocks = () =>
    items.map((item, at) => itemBlock(item, context, isOpen && at === items.length - 1));
  return {
    key: `${key} ${isOpen}`,
    kind: `${tag} ${start} ${loose}`,
    build() {
      const list = element(tag, { start: ordered && Number(start) !== 1 ? Number(start) : undefined });
      reconcile(list, itemBlocks());
      return list;
    },
    update: (present) => reconcile(present, itemBlocks()),
  };
}

function itemBlock(item: Tokens.ListItem, context: Context, isOpen: boolean): Block {
  const version = item.raw.includes('[') ? context.version : '';
  return {
    key: `${item.raw.trimEnd()} ${isOpen}${version}`,
    kind: 'item',
    build() {
      const nodes = itemNodes(item.tokens, context, isOpen);
      return item.task
        ? element('li', { class: 'task' }, taskBox(item), ...nodes)
        : element('li', {}, ...nodes);
    },
  };
}

const taskBox = ({ checked = false }: Tokens.ListItem): HTMLElement =>
  element('input', {
    type: 'checkbox',
    disabled: true,
    checked,
    'aria-label': checked ? 'Done' : 'To do',
  });

/** The content of an item. Paragraphs of a tight list are text. */
function itemNodes(tokens: readonly Token[], context: Context, isOpen: boolean): Node[] {
  return tokens.flatMap((token, at): Node[] => {
    if (token.type === 'checkbox') return [];
    if (token.type === 'text') return [inline(token.tokens ?? [token], context.notes)];
    return blocksOf([token], context, isOpen && at === tokens.length - 1).map(built);
  });
}
