/** The sheet that lists the keys. Its content is loaded when it is first opened. */
import './shortcuts.css';
import { loadLate } from '../parts/late.ts';
import { Sheet } from '../parts/sheet.ts';

let sheet: Sheet | undefined;

/** Opens the sheet. */
export async function showShortcuts(): Promise<void> {
  if (!sheet) {
    const part = await loadLate(() => import('./shortcuts.late.ts'));
    if (!part) return;
    sheet = new Sheet('Keyboard shortcuts', 'middle');
    sheet.body.append(part.shortcutList());
  }
  sheet.open();
}
