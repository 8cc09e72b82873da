/** Tokens within a line as nodes: emphasis, code, links, math. */
import type { MarkedToken, Token } from 'marked';
import { element } from '../parts/dom.ts';
import { codeText, decodeEntities, linkText, plainText } from './characters.ts';
import type { Footnotes } from './footnotes.ts';
import { link } from './link.ts';
import { math } from './math.ts';
import type { MathToken } from './extensions.ts';

/** A reference to a footnote. */
interface ReferenceToken {
  type: 'reference';
  raw: string;
  label: string;
}

type InlineToken = MarkedToken | MathToken | ReferenceToken;

/** Creates the nodes of tokens. `isLinked` means inside a link, which cannot contain links. */
export function inline(tokens: Token[] | undefined, notes: Footnotes, isLinked = false): DocumentFragment {
  const nodes = document.createDocumentFragment();
  for (const token of tokens ?? []) nodes.append(node(token as InlineToken, notes, isLinked));
  nodes.normalize();
  return nodes;
}

function node(token: InlineToken, notes: Footnotes, isLinked: boolean): Node | string {
  const shown = isLinked ? linkText : plainText;
  const inner = (linked = isLinked) => inline('tokens' in token ? token.tokens : [], notes, linked);
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return element(token.type, {}, inner());
    case 'codespan':
      return element('code', {}, codeText(token.text));
    case 'checkbox':
      // The item has it.
      return '';
    case 'br':
      return element('br');
    case 'math':
      return math(token);
    case 'reference':
      return isLinked ? token.raw : notes.reference(token);
    case 'link':
      return isLinked ? inner() : link(literal(token.href, token.autolink), inner(true));
    case 'image':
      // No request goes out: the address of a picture can carry what was said here.
      if (isLinked) return linkText(decodeEntities(token.text));
      return link(decodeEntities(token.href), linkText(decodeEntities(token.text)) || 'Image');
    case 'escape':
      return shown(token.text);
    case 'text':
      return token.tokens ? inner() : shown(decodeEntities(token.text));
    default:
      return shown(token.raw);
  }
}

const literal = (address: string, isLiteral = false): string =>
  isLiteral ? address : decodeEntities(address);
