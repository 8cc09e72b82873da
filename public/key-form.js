/** Asks for the function key. */
import { hasKey, keepKey } from './api.js';
import { element } from './dom.js';

/**
 * Creates the form. `onKey` is called when a key is stored. Focus it after it is shown.
 * @param {() => void} onKey
 */
export function keyForm(onKey) {
  const input = element('input', {
    type: 'password',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    keepKey(input.value.trim());
    onKey();
  };
  const why = hasKey() ? 'The server did not accept this key.' : 'The server asks for a function key.';
  return element(
    'form',
    { class: 'key', submit },
    element('label', {}, element('span', {}, why), input),
    element('button', { type: 'submit' }, 'Use key'),
    element('p', {}, 'It is kept in this tab only, and forgotten when you close it.'),
  );
}
