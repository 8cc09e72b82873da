/** The list of keys. */
import { element } from '../parts/dom.ts';

const SHORTCUTS: readonly (readonly [keys: string[], effect: string])[] = [
  [['Enter'], 'Send the question'],
  [['Shift', 'Enter'], 'Start a new line'],
  [['↑'], 'In an empty input: recall the last question, then older ones'],
  [['↓'], 'Newer questions, after a recall'],
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
