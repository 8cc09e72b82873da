/** Asks for the key. */
import './key-form.css';
import { hasKey, keepKey } from '../api/request.ts';
import { pageHasCallerKeys } from '../api/sign-in.ts';
import { element } from '../parts/dom.ts';

/** Creates the form. `onKey` is called when a key is stored. Focus it after it is shown. */
export function keyForm(onKey: () => void): HTMLFormElement {
  const input = element('input', {
    type: 'password',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const submit = (event: Event) => {
    event.preventDefault();
    keepKey(input.value.trim());
    onKey();
  };
  const asked = pageHasCallerKeys() ? 'your key' : 'a function key';
  const why = hasKey() ? 'The server did not accept this key.' : `The server asks for ${asked}.`;
  return element(
    'form',
    { class: 'key', submit },
    element('label', {}, element('span', {}, why), input),
    element('button', { type: 'submit', class: 'primary' }, 'Use key'),
    element('p', {}, 'It is kept in this tab only, and forgotten when you close it.'),
  );
}
