/** What the lexer reads beside its own Markdown: math, footnotes, line breaks in HTML, and tables that are too large. */
import type { MarkedOptions, Token, TokenizerThis, Tokens } from 'marked';

/** Math as the model wrote it, without its delimiters. */
export interface MathToken {
  type: 'math';
  raw: string;
  source: string;
  isDisplay: boolean;
}

/** The text of a footnote. */
export interface FootnoteToken {
  type: 'footnote';
  raw: string;
  label: string;
  tokens: Token[];
}

/** A larger table is shown as its source. Each cell costs an element, also the empty ones that complete a row. */
const MAX_CELLS = 20_000;
const MAX_LINES = 2000;

const DISPLAY = /^ {0,3}(?:\$\$([^$]{1,5000}?)\$\$|\\\[([^]{1,5000}?)\\\])[ \t]*(?:\n|$)/;
const INLINE_DISPLAY = /^(?:\$\$([^$]{1,5000}?)\$\$|\\\[([^]{1,5000}?)\\\])/;
/** One dollar sign is often an amount: no space inside of the signs, and no letter or digit outside of them. */
const INLINE = /^(?:\\\(([^]{1,2000}?)\\\)|\$([^\s$`](?:[^$\n`]{0,300}[^\s$`\\])?)\$(?![\w{(]))/;
const FOOTNOTE = /^ {0,3}\[\^([^\]\s]{1,40})\]:[ \t]*([^\n]*(?:\n(?: {2}|\t)[ \t]*[^\s][^\n]*)*)(?:\n|$)/;
const REFERENCE = /^\[\^([^\]\s]{1,40})\](?!:)/;
const BREAK = /^<br *\/?>/i;
const INTERRUPTING = /\n {0,3}(?:\$\$|\\\[|\[\^[^\]\s]{1,40}\]:)/;

const displayMath = (source: string) => mathToken(DISPLAY.exec(source), true);

function inlineMath(this: TokenizerThis, source: string, before: Token[] | Tokens.Generic[]) {
  const display = INLINE_DISPLAY.exec(source);
  if (display) return mathToken(display, true);
  if (source.startsWith('$') && /[\p{L}\p{N}]$/u.test(before.at(-1)?.raw.slice(-2) ?? '')) return undefined;
  return mathToken(INLINE.exec(source), false);
}

function mathToken(found: RegExpExecArray | null, isDisplay: boolean): MathToken | undefined {
  const source = (found?.[1] ?? found?.[2] ?? '').trim();
  return found && source ? { type: 'math', raw: found[0], source, isDisplay } : undefined;
}

function footnote(this: TokenizerThis, source: string): FootnoteToken | undefined {
  const [raw, label = '', text = ''] = FOOTNOTE.exec(source) ?? [];
  if (raw === undefined) return undefined;
  const tokens = this.lexer.blockTokens(text.replaceAll(/\n[ \t]+/g, '\n'), []);
  return { type: 'footnote', raw, label, tokens };
}

function footnoteReference(source: string) {
  const [raw, label] = REFERENCE.exec(source) ?? [];
  return raw === undefined ? undefined : { type: 'reference', raw, label };
}

/** Models break lines in the cells of a table in this way. */
function lineBreak(source: string) {
  const [raw] = BREAK.exec(source) ?? [];
  return raw === undefined ? undefined : { type: 'br', raw };
}

/** A quote or list of thousands of lines without an empty one: reading it would take very long. */
function endlessBlock(source: string): Tokens.Code | undefined {
  if (!/^ {0,3}(?:>|[-*+] |\d{1,9}[.)] )/.test(source)) return undefined;
  const end = source.indexOf('\n\n');
  const raw = end < 0 ? source : source.slice(0, end);
  if (raw.length < MAX_LINES || raw.split('\n').length <= MAX_LINES) return undefined;
  return { type: 'code', raw, text: raw, lang: '' };
}

function largeTable(source: string): Tokens.Code | undefined {
  const head = lineAt(source, 0);
  const rule = lineAt(source, head.length + 1);
  if (!head.includes('|') || !rule.includes('-') || !/^[ |:-]+$/.test(rule)) return undefined;
  const end = source.search(/\n[ \t]*\n/);
  const raw = end < 0 ? source : source.slice(0, end);
  const rows = raw.split('\n').length - 1;
  if (rows * (rule.split('|').length - 1) <= MAX_CELLS) return undefined;
  return { type: 'code', raw, text: raw, lang: '' };
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(at, end < 0 ? undefined : end);
}

/** Where a block inside of the first paragraph begins. */
function interruptingBlock(source: string): number | undefined {
  const end = source.indexOf('\n\n');
  const at = (end < 0 ? source : source.slice(0, end)).search(INTERRUPTING);
  return at < 0 ? undefined : at + 1;
}

/** For the options of the lexer. */
export const EXTENSIONS: NonNullable<MarkedOptions['extensions']> = {
  renderers: {},
  childTokens: {},
  block: [displayMath, footnote, endlessBlock, largeTable],
  startBlock: [interruptingBlock],
  inline: [inlineMath, footnoteReference, lineBreak],
  startInline: [(source) => source.indexOf('$')],
};
