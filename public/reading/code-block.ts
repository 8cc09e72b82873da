/** Code with a button that copies it. */
import { element } from '../parts/dom.ts';

const COPIED_MS = 2000;

/** Shows code. `language` is as the model named it, or empty. */
export function codeBlock(code: string, language: string): HTMLElement {
  // The clipboard needs https or localhost.
  const canCopy = 'clipboard' in navigator;
  return element(
    'figure',
    { class: 'code' },
    element('figcaption', {}, element('span', {}, language || 'code'), canCopy && copyButton(code)),
    element(
      'pre',
      { tabindex: 0, role: 'region', 'aria-label': language ? `Code in ${language}` : 'Code' },
      element('code', {}, code),
    ),
  );
}

function copyButton(code: string): HTMLButtonElement {
  const button = element('button', { type: 'button', class: 'quiet' }, 'Copy');
  const say = (text: string) => {
    button.textContent = text;
    setTimeout(() => (button.textContent = 'Copy'), COPIED_MS);
  };
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(code).then(
      () => say('Copied'),
      () => say('Not copied'),
    );
  });
  return button;
}
