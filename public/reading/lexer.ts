/** Markdown as tokens, by the lexer of marked. Its limits keep the time linear for any text. */
import { Lexer, type Token, Tokenizer, type TokensList } from 'marked';
import { EXTENSIONS } from './extensions.ts';

/** Deeper lists, quotes and emphasis stay text. */
const MAX_DEPTH = 12;
/** A longer paragraph, or one with a longer word, is not read for emphasis and links. */
const MAX_INLINE = 10_000;
const LONG_WORD = /\S{3000}/;

/** Addresses of reference links, by their labels. */
export type Links = TokensList['links'];

/** Reads no HTML: it stays text, in which Markdown still holds. */
class BoundedTokenizer extends Tokenizer {
  #depth = 0;

  override html(): undefined {}
  override tag(): undefined {}
  override blockquote(source: string) {
    return this.#nested(() => super.blockquote(source));
  }
  override list(source: string) {
    return this.#nested(() => super.list(source));
  }

  #nested<Result>(read: () => Result): Result | undefined {
    if (this.#depth >= MAX_DEPTH) return undefined;
    this.#depth++;
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }
}

class BoundedLexer extends Lexer {
  #depth = 0;

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    if (this.#depth >= MAX_DEPTH || source.length > MAX_INLINE || LONG_WORD.test(source)) {
      tokens.push({ type: 'text', raw: source, text: source });
      return tokens;
    }
    this.#depth++;
    try {
      return super.inlineTokens(source, tokens);
    } finally {
      this.#depth--;
    }
  }
}

/** Reads a text. `links` has the definitions before it, and gets those in it. */
export function readTokens(text: string, links: Links): Token[] {
  const tokenizer = new BoundedTokenizer();
  const lexer = new BoundedLexer({ gfm: true, breaks: true, tokenizer, extensions: EXTENSIONS });
  lexer.tokens.links = links;
  try {
    return [...lexer.lex(text)];
  } catch {
    // A fault of the lexer must not cost the reader the answer.
    return [{ type: 'paragraph', raw: text, text, tokens: [{ type: 'text', raw: text, text }] }];
  }
}
