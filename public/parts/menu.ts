/** A button that opens a list of commands: the menu button of the ARIA Authoring Practices. */
import './menu.css';
import { element } from './dom.ts';
import { icon, type IconName } from './icon.ts';

/** An entry of a menu. */
export interface MenuItem {
  label: string;
  icon?: IconName;
  /** For a choice: whether it is the present one. Undefined for a command. */
  isChosen?: () => boolean;
  run: () => void;
}

/** Entries that belong together, with a heading if they are choices of one thing. */
export interface MenuGroup {
  heading?: string;
  items: MenuItem[];
}

const GAP = 6;
let count = 0;

/** Makes `button` open a menu. `groups` is called at each opening, so that the entries are those of that moment. */
export function attachMenu(button: HTMLButtonElement, groups: () => MenuGroup[]): void {
  const id = `menu-${++count}`;
  const menu = element('div', { id, class: 'menu', role: 'menu', popover: 'auto' });
  menu.setAttribute('aria-label', button.getAttribute('aria-label') ?? button.textContent ?? '');
  for (const [name, value] of Object.entries({ haspopup: 'menu', expanded: 'false', controls: id }))
    button.setAttribute(`aria-${name}`, value);
  button.after(menu);
  const open = (end: 'first' | 'last') => {
    menu.replaceChildren(...groups().map((group) => groupElement(group, () => menu.hidePopover())));
    menu.showPopover();
    placeBelow(menu, button);
    itemsOf(menu)
      .at(end === 'first' ? 0 : -1)
      ?.focus();
  };
  // The browser then does not close the menu at a press on its button, which would open it again.
  button.popoverTargetElement = menu;
  button.addEventListener('click', (event) => {
    event.preventDefault();
    if (menu.matches(':popover-open')) menu.hidePopover();
    else open('first');
  });
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    open(event.key === 'ArrowDown' ? 'first' : 'last');
  });
  menu.addEventListener('toggle', (event) => {
    button.setAttribute('aria-expanded', String(event.newState === 'open'));
  });
  menu.addEventListener('keydown', (event) => moveFocus(event, menu, button));
}

const itemsOf = (menu: HTMLElement) => [...menu.querySelectorAll<HTMLButtonElement>('button')];

function groupElement({ heading, items }: MenuGroup, close: () => void): HTMLElement {
  const made = items.map(({ label, icon: name, isChosen, run }) => {
    const chosen = isChosen?.();
    const shown = chosen ? 'check' : name;
    const role = chosen === undefined ? 'menuitem' : 'menuitemradio';
    const click = () => {
      close();
      run();
    };
    const checked = chosen === undefined ? undefined : String(chosen);
    return element(
      'button',
      { type: 'button', role, tabindex: -1, 'aria-checked': checked, click },
      shown && icon(shown),
      element('span', {}, label),
    );
  });
  const title = heading !== undefined && element('p', { 'aria-hidden': 'true' }, heading);
  return element('div', { role: 'group', 'aria-label': heading }, title, ...made);
}

function moveFocus(event: KeyboardEvent, menu: HTMLElement, button: HTMLButtonElement): void {
  const items = itemsOf(menu);
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  const { key } = event;
  if (key === 'Escape' || key === 'Tab') {
    // Escape closes a popover by itself; Tab has to leave from the button.
    button.focus();
    if (key === 'Tab') menu.hidePopover();
    return;
  }
  const moves: Record<string, number> = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: at - 1,
    Home: 0,
    End: -1,
  };
  const move = moves[key];
  const found = move === undefined ? nextWithLetter(items, at, key) : items.at(move);
  if (!found) return;
  event.preventDefault();
  found.focus();
}

/** The next entry that starts with the letter of a key. */
function nextWithLetter(items: HTMLButtonElement[], at: number, key: string): HTMLButtonElement | undefined {
  // A space presses the entry, and other keys have longer names.
  if (key.length !== 1 || key === ' ') return undefined;
  const letter = key.toLowerCase();
  const others = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  return others.find(({ textContent }) => textContent?.toLowerCase().startsWith(letter));
}

/** Puts the menu below its button, or above it when there is no room, and inside the window. */
function placeBelow(menu: HTMLElement, button: HTMLElement): void {
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const { clientWidth, clientHeight } = document.documentElement;
  const x = left + width <= clientWidth - GAP ? left : right - width;
  const y = bottom + GAP + height <= clientHeight ? bottom + GAP : Math.max(GAP, top - GAP - height);
  menu.style.left = `${Math.max(GAP, x)}px`;
  menu.style.top = `${y}px`;
}
