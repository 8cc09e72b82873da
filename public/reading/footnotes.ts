/** Footnotes: marks in the text, and the list of their texts at the end of the answer. */
import type { Token } from 'marked';
import { element } from '../parts/dom.ts';
import type { FootnoteToken } from './extensions.ts';

/** The footnotes of an answer, numbered in the order in which they are defined. */
export class Footnotes {
  readonly #tokens = new Map<string, FootnoteToken>();
  /** Whether definitions may still come. */
  readonly #isGrowing: boolean;

  constructor(tokens: readonly Token[], isGrowing: boolean) {
    this.#isGrowing = isGrowing;
    for (const token of tokens)
      if (token.type === 'footnote' && !this.#tokens.has(token['label']))
        this.#tokens.set(token['label'], token as FootnoteToken);
  }

  /** In the order of their numbers. */
  get all(): readonly FootnoteToken[] {
    return [...this.#tokens.values()];
  }

  /** The mark of a footnote: a button that goes to it. It is no link, because the fragment of the address is the session. */
  reference({ label, raw }: { label: string; raw: string }): Node | string {
    const number = [...this.#tokens.keys()].indexOf(label) + 1;
    if (number === 0) return this.#isGrowing && /^\d+$/.test(label) ? element('sup', {}, label) : raw;
    const button = element(
      'button',
      { type: 'button', class: 'note-mark', 'data-mark': number, 'aria-label': `Footnote ${number}` },
      String(number),
    );
    button.addEventListener('click', () => goTo(button, `[data-note="${number}"]`));
    return element('sup', {}, button);
  }
}

/** Creates the list item of a footnote, with a button that goes back to its mark. */
export function footnoteItem(number: number, content: Node[]): HTMLElement {
  const back = element(
    'button',
    { type: 'button', class: 'note-back quiet', 'aria-label': `Back to the mark of footnote ${number}` },
    '↩',
  );
  back.addEventListener('click', () => goTo(back, `[data-mark="${number}"]`));
  const last = content.at(-1);
  const isText = last instanceof HTMLParagraphElement;
  if (isText) last.append(' ', back);
  return element('li', { 'data-note': number, tabindex: -1 }, ...content, !isText && back);
}

function goTo(from: HTMLElement, selector: string): void {
  const target = from.closest('.text')?.querySelector<HTMLElement>(selector);
  target?.focus();
}
