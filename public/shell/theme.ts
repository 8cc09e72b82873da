/** The theme: light, dark, or that of the system. */
import type { MenuGroup } from '../parts/menu.ts';
import { stored } from '../parts/storage.ts';

const NAMES = { system: 'System', light: 'Light', dark: 'Dark' };
type Theme = keyof typeof NAMES;

const isTheme = (value: unknown): value is Theme => typeof value === 'string' && Object.hasOwn(NAMES, value);
const kept = stored('theme', isTheme);
const present = (): Theme => kept.get() ?? 'system';

/** Shows the page in the theme that was chosen. */
export function applyTheme(): void {
  // tokens.css has the rules for "light" and "dark".
  document.documentElement.dataset['theme'] = present();
}

/** The choice of the theme, for a menu. */
export function themeChoice(): MenuGroup {
  const items = (Object.keys(NAMES) as Theme[]).map((theme) => ({
    label: NAMES[theme],
    isChosen: () => present() === theme,
    run: () => {
      kept.set(theme);
      applyTheme();
    },
  }));
  return { heading: 'Theme', items };
}
