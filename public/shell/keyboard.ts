/** The keys of the page, whatever has the focus. `shortcuts.late.ts` lists them. */
import { isCovered } from '../parts/sheet.ts';

/** What the keys do. */
export interface KeyCommands {
  startNew: () => void;
  focusInput: () => void;
  copyAnswer: () => void;
  search: () => void;
  showKeys: () => void;
}

/** Listens to the keys from now on. A dialog or a menu that is open has its own. */
export function startKeyboard(commands: KeyCommands): void {
  addEventListener('keydown', (event) => {
    const name = isCovered() ? undefined : commandOf(event);
    if (!name) return;
    event.preventDefault();
    commands[name]();
  });
}

function commandOf(event: KeyboardEvent): keyof KeyCommands | undefined {
  const { key, shiftKey, altKey, ctrlKey, metaKey, target } = event;
  const hasControl = ctrlKey || metaKey;
  if (altKey || event.isComposing) return undefined;
  if (key === 'Escape' && shiftKey) return 'focusInput';
  // A character is written where there is an input.
  const isWriting = target instanceof HTMLElement && target.matches('input, textarea');
  if (key === '?' && !hasControl && !isWriting) return 'showKeys';
  if (!hasControl) return undefined;
  const letter = key.toLowerCase();
  if (letter === 'k' && !shiftKey) return 'search';
  if (letter === '/') return 'showKeys';
  if (letter === 'o' && shiftKey) return 'startNew';
  return letter === 'c' && shiftKey ? 'copyAnswer' : undefined;
}
