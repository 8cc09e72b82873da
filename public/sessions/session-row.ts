/** One conversation in the list: its link, the menu, and the form for its name. */
import { addressOf } from '../model/address.ts';
import { element } from '../parts/dom.ts';
import { icon } from '../parts/icon.ts';
import { attachMenu } from '../parts/menu.ts';
import type { Entry } from './entry.ts';

/** What the commands of a row do. */
export interface RowCommands {
  rename: (entry: Entry) => void;
  delete: (entry: Entry) => void;
}

let count = 0;

/** Creates the row. The elements that can have the focus name it in `data-key`. */
export function sessionRow(entry: Entry, isOpen: boolean, commands: RowCommands): HTMLElement {
  const id = `session-${++count}`;
  const link = element(
    'a',
    {
      id,
      // With a path or a query, because accessibility checkers take a bare fragment for a link within the page.
      href: `${location.search || './'}${addressOf(entry.id)}`,
      title: entry.title,
      dir: 'auto',
      'aria-current': isOpen && 'page',
      'data-key': `link ${entry.id}`,
    },
    entry.title,
  );
  // Described by the title, not named by it: a title may contain anything, also the name of another button.
  const options = element(
    'button',
    {
      type: 'button',
      class: 'icon-button small',
      'aria-label': 'Options',
      'aria-describedby': id,
      'data-key': `options ${entry.id}`,
    },
    icon('more'),
  );
  const row = element('li', { class: 'session' }, link, options);
  attachMenu(options, () => [
    {
      items: [
        { label: 'Rename', icon: 'rename', run: () => commands.rename(entry) },
        { label: 'Delete', icon: 'delete', run: () => commands.delete(entry) },
      ],
    },
  ]);
  return row;
}

/**
 * Creates the row with a form for the name. Enter and leaving it call `done` with the name, Escape without one.
 * Focus its input after it is shown.
 */
export function renameRow({ title }: Entry, done: (name: string | undefined) => void): HTMLElement {
  const input = element('input', {
    'aria-label': 'Name',
    'aria-describedby': 'rename-note',
    autocomplete: 'off',
    maxlength: 80,
    value: title,
    // Removing the form takes the focus from it: the second call does nothing.
    blur: () => end(input.value),
    keydown: (event) => {
      if (!(event instanceof KeyboardEvent) || event.key !== 'Escape' || event.isComposing) return;
      // Otherwise it would also stop the answer, or close the sheet.
      event.preventDefault();
      event.stopPropagation();
      end(undefined);
    },
  });
  let isDone = false;
  const end = (name: string | undefined) => {
    if (isDone) return;
    isDone = true;
    done(name === undefined || name === title ? undefined : name.trim());
  };
  const submit = (event: Event) => {
    event.preventDefault();
    end(input.value);
  };
  const note = 'The name is kept in this browser only. Without a name, the first question is shown.';
  return element(
    'li',
    { class: 'session renamed' },
    element('form', { submit }, input),
    element('p', { id: 'rename-note', class: 'note' }, note),
  );
}
