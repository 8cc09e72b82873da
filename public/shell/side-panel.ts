/** A part of the page that is a column where there is room for it, and otherwise a sheet. */
import { Sheet } from '../parts/sheet.ts';
import { isFlag, stored, type Stored } from '../parts/storage.ts';
import { Signal } from '../parts/signal.ts';
import { byId } from '../parts/dom.ts';

/** What a {@link SidePanel} is made from. The elements are `NAME`, `NAME-content` and `NAME-toggle` of index.html. */
export interface SidePanelOptions {
  name: 'list' | 'panel';
  title: string;
  side: 'left' | 'right';
  /** The media query of windows with room for the column. */
  wide: string;
}

/** Moves its content between the column and the sheet. The browser remembers whether the column is shown. */
export class SidePanel {
  /** Whether the column is shown has changed. */
  readonly columnChanged = new Signal<boolean>();
  readonly #column: HTMLElement;
  readonly #content: HTMLElement;
  readonly #toggle: HTMLButtonElement;
  readonly #sheet: Sheet;
  readonly #wide: MediaQueryList;
  readonly #kept: Stored<boolean>;

  constructor({ name, title, side, wide }: SidePanelOptions) {
    this.#column = byId(name, HTMLElement);
    this.#content = byId(`${name}-content`, HTMLElement);
    this.#toggle = byId(`${name}-toggle`, HTMLButtonElement);
    this.#sheet = new Sheet(title, side);
    this.#wide = matchMedia(wide);
    this.#kept = stored(`column.${name}`, isFlag);
    this.#wide.addEventListener('change', () => this.arrange());
    this.#sheet.opened.listen(() => this.#showState());
    this.#sheet.closed.listen(() => this.#showState());
    this.#toggle.addEventListener('click', () => this.#press());
  }

  /** Shows the content where it belongs at this width. */
  arrange(): void {
    if (this.#wide.matches) this.#sheet.close();
    const place = this.#wide.matches ? this.#column : this.#sheet.body;
    if (this.#content.parentElement !== place) place.append(this.#content);
    this.#column.hidden = !this.#wide.matches || this.#kept.get() === false;
    this.#showState();
  }

  /** Shows the content, in its column or its sheet. */
  show(): void {
    if (!this.#wide.matches) return this.#sheet.open();
    this.#kept.set(true);
    this.arrange();
  }

  /** Closes the sheet, after something in it was chosen. A column stays. */
  closeSheet(): void {
    this.#sheet.close();
  }

  #press(): void {
    if (!this.#wide.matches) return this.#sheet.open();
    this.#kept.set(this.#column.hidden !== false);
    this.arrange();
  }

  #showState(): void {
    const isShown = this.#wide.matches ? !this.#column.hidden : this.#sheet.isOpen;
    this.#toggle.setAttribute('aria-expanded', String(isShown));
    this.columnChanged.emit(!this.#column.hidden);
  }
}
