/** The list of keys. */
import { element } from '../parts/dom.ts';

const SHORTCUTS: readonly (readonly [keys: string[], effect: string])[] = [
  [['Enter'], 'Send the question, or let it wait for the answer in progress'],
  [['Shift', 'Enter'], 'Start a new line'],
  [['↑'], 'In an empty input: recall the last question, then older ones'],
  [['↓'], 'Newer questions, after a recall'],
  [['Shift', 'Escape'], 'Go to the input'],
  [['Ctrl or ⌘', 'Shift', 'O'], 'New conversation'],
  [['Ctrl or ⌘', 'Shift', 'C'], 'Copy the last answer'],
  [['Ctrl or ⌘', 'K'], 'Search the conversations'],
  [['Ctrl or ⌘', 'P'], 'Print the conversation'],
  [['?'], 'Show this list; in an input, Ctrl or ⌘ + /'],
  [['Escape'], 'Stop the answer, discard a recalled or an edited question, or close a menu or a sheet'],
];

/** Creates the list. */
export function shortcutList(): HTMLElement {
  const rows = SHORTCUTS.flatMap(([keys, effect]) => [
    element('dt', {}, ...keys.flatMap((key, at) => [at > 0 && ' + ', element('kbd', {}, key)])),
    element('dd', {}, effect),
  ]);
  return element('dl', { class: 'shortcuts' }, ...rows);
}
