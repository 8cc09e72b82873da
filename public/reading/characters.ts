/** Characters of an answer: entities, and those that change what a reader sees. */
import { element } from '../parts/dom.ts';

/** The named entities that models write. Others stay as they are. */
const ENTITIES = new Map(
  Object.entries({
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: '\u00A0',
    copy: '©',
    reg: '®',
    trade: '™',
    deg: '°',
    plusmn: '±',
    times: '×',
    divide: '÷',
    middot: '·',
    bull: '•',
    hellip: '…',
    ndash: '–',
    mdash: '\u2014',
    lsquo: '‘',
    rsquo: '’',
    ldquo: '“',
    rdquo: '”',
    laquo: '«',
    raquo: '»',
    euro: '€',
    pound: '£',
    yen: '¥',
    cent: '¢',
    sect: '§',
    para: '¶',
    larr: '←',
    rarr: '→',
    uarr: '↑',
    darr: '↓',
    le: '≤',
    ge: '≥',
    ne: '≠',
    asymp: '≈',
    infin: '∞',
    Tab: '\t',
    NewLine: '\n',
    colon: ':',
    sol: '/',
    lpar: '(',
    rpar: ')',
  }),
);

const ENTITY = /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([A-Za-z]{2,8}));/g;
/** Marks that change the direction of the text after them. */
const DIRECTION = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/;
/** These, and characters without a width that no script needs. */
const DECEIVING = /[\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/g;
/** Marks over and under one letter. No language needs more. */
const STACKED = /(\p{M}{6})\p{M}+/gu;

/** Replaces entities by their characters, once. */
export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(ENTITY, (all, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES.get(name) ?? all;
    const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
    const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : '\uFFFD';
  });
}

/** Text of the answer, with piles of accents cut, because they would cover the lines around. */
export const plainText = (text: string): string => text.replaceAll(STACKED, '$1');

/** Text of a link, without characters that let it look like another one. */
export const linkText = (text: string): string => plainText(text).replaceAll(DECEIVING, '');

/** Text of code, in which marks of direction are shown: they can let it look like other code. */
export function codeText(text: string): Node {
  if (!DIRECTION.test(text)) return document.createTextNode(text);
  const parts = document.createDocumentFragment();
  for (const part of text.split(new RegExp(`(${DIRECTION.source})`))) {
    const code = part.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    if (DIRECTION.test(part)) parts.append(element('span', { class: 'direction' }, `U+${code}`));
    else parts.append(part);
  }
  return parts;
}
