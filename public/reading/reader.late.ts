/** Markdown as elements. Loaded late, because the lexer is as large as half of the page; it has no state of the page. */
import type { Token, Tokens } from 'marked';
import { blocksOf, type Context, footnotesBlock } from './blocks.ts';
import { Footnotes } from './footnotes.ts';
import { type Links, readTokens } from './lexer.ts';
import { reconcile } from './reconcile.ts';

/** What is known of an answer that grows: its first blocks cannot change any more. */
interface Growing {
  /** The text of these blocks. */
  settled: string;
  /** The number of their elements. */
  count: number;
  links: Links;
  depths: number[];
}

const growing = new WeakMap<HTMLElement, Growing>();

/** The head of a table whose second line has not come yet. It would be shown as text for a moment. */
const HALF_HEAD = /(?:^|\n) {0,3}\|[^\n]*(?:\n[|:\- \t]*)?$/;

/** Renders Markdown in `element`, and keeps the elements of what has not changed. See `renderAnswer`. */
export function render(text: string, element: HTMLElement, isComplete: boolean): void {
  const lines = text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
  if (isComplete) renderWhole(lines, element);
  else renderEnd(lines, element);
}

function renderWhole(text: string, element: HTMLElement): void {
  growing.delete(element);
  const links = noLinks();
  const tokens = readTokens(text, links);
  const notes = new Footnotes(tokens, false);
  const isChanged = Object.keys(links).length > 0 || text.includes('[^');
  const context: Context = { notes, depths: [], version: isChanged ? 'complete' : '' };
  reconcile(element, [...blocksOf(tokens, context, false), ...footnotesBlock(context)]);
}

/** Reads only the text after the blocks that are settled. */
function renderEnd(text: string, element: HTMLElement): void {
  let state = growing.get(element);
  if (!state || !text.startsWith(state.settled))
    state = { settled: '', count: 0, links: noLinks(), depths: [] };
  growing.set(element, state);
  const end = text.slice(state.settled.length);
  const tokens = withoutHalfHead(readTokens(end, copyOf(state.links)), copyOf(state.links));
  const settled = tokens.slice(0, settledCount(tokens, end));
  const context = { notes: new Footnotes([], true), depths: state.depths, version: '' };
  const first = blocksOf(settled, context, false);
  const depths = [...state.depths];
  const rest = blocksOf(tokens.slice(settled.length), { ...context, depths }, true);
  reconcile(element, [...first, ...rest], state.count);
  for (const token of settled) if (token.type === 'def') state.links[token['tag']] ??= token as Tokens.Def;
  state.settled += settled.map(({ raw }) => raw).join('');
  state.count += first.length;
}

const noLinks = (): Links => Object.create(null) as Links;
const copyOf = (links: Links): Links => Object.assign(noLinks(), links);

/**
 * The number of tokens that the next pieces of text cannot change. A block can grow until another one follows it, and
 * what follows is certain only with the end of its first line: "2" after a list becomes "2." of the same list.
 */
function settledCount(tokens: readonly Token[], text: string): number {
  let at = 0;
  let count = 0;
  for (const [index, { type, raw }] of tokens.entries()) {
    // Otherwise the lexer has changed the text.
    if (!text.startsWith(raw, at)) return count;
    if (type !== 'space' && text.indexOf('\n', at) >= 0) count = index;
    at += raw.length;
  }
  return count;
}

/** Leaves out the head of a table that is not complete. */
function withoutHalfHead(tokens: Token[], links: Links): Token[] {
  const last = tokens.at(-1);
  if (last?.type !== 'paragraph') return tokens;
  const rest = last.raw.replace(HALF_HEAD, '');
  if (rest === last.raw) return tokens;
  return [...tokens.slice(0, -1), ...readTokens(rest, links)];
}
