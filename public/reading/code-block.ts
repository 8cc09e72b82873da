/** Code with a button that copies it. */
import { element } from '../parts/dom.ts';
import { codeText } from './characters.ts';
import type { Block } from './reconcile.ts';

const COPIED_MS = 2000;
/** Longer code stays without colours: they would cost more time than they are worth. */
const MAX_COLOURED = 100_000;
/** `language-diff`, `{.python}` and `title="x"` are not names. */
const LANGUAGE = /^[\w.+#-]{1,24}$/;
/** The code of each element, as it came: what is shown can differ from it. */
const sources = new WeakMap<Element, string>();

/** Code in a fence. `info` is what the model wrote after it. `isOpen` means that the code is not complete. */
export function codeBlock(code: string, info: string, isOpen: boolean): Block {
  const [first = ''] = info.trim().split(/\s/);
  const language = LANGUAGE.test(first) ? first : '';
  const show = (root: Element) => {
    const target = root.querySelector('pre code');
    if (!target) return;
    sources.set(target, code);
    target.replaceChildren(codeText(code));
    if (!isOpen && language && code.length <= MAX_COLOURED) void colour(target, code, language);
  };
  return {
    key: `code ${isOpen} ${language} ${code}`,
    kind: `code ${language}`,
    build() {
      const made = figure(language);
      show(made);
      return made;
    },
    update: show,
  };
}

function figure(language: string): HTMLElement {
  const code = element('code');
  // The clipboard needs https or localhost.
  const canCopy = 'clipboard' in navigator;
  return element(
    'figure',
    { class: 'code' },
    element('figcaption', {}, element('span', {}, language || 'code'), canCopy && copyButton(code)),
    element(
      'pre',
      { tabindex: 0, role: 'region', 'aria-label': language ? `Code in ${language}` : 'Code' },
      code,
    ),
  );
}

/** Replaces the text by the same text with colours, once the highlighter is there. */
async function colour(target: Element, code: string, language: string): Promise<void> {
  const text = target.firstChild;
  // Code without colours needs no message.
  const part = await import('./highlight.late.ts').catch(() => undefined);
  // The answer may have changed meanwhile.
  if (!part || target.firstChild !== text) return;
  const coloured = part.highlight(code, language);
  if (coloured) target.replaceChildren(coloured);
}

function copyButton(code: Element): HTMLButtonElement {
  const button = element('button', { type: 'button', class: 'quiet' }, 'Copy');
  const say = (text: string) => {
    button.textContent = text;
    setTimeout(() => (button.textContent = 'Copy'), COPIED_MS);
  };
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(sources.get(code) ?? '').then(
      () => say('Copied'),
      () => say('Not copied'),
    );
  });
  return button;
}
