/** A modal dialog at an edge of the window, or in its middle. */
import './sheet.css';
import { element } from './dom.ts';
import { icon } from './icon.ts';
import { Signal } from './signal.ts';
import { moveToast, toastPlace } from './toast.ts';

/** Where a sheet opens. */
export type SheetSide = 'left' | 'right' | 'middle';

let count = 0;

/**
 * A sheet with a title, a Close button and `body`. While it is open, the rest of the page cannot be used. Escape and a
 * press beside it close it, and the focus returns to where it was.
 */
export class Sheet {
  readonly body = element('div', { class: 'sheet-body' });
  readonly opened = new Signal();
  readonly closed = new Signal();
  readonly #dialog: HTMLDialogElement;

  constructor(title: string, side: SheetSide) {
    const id = `sheet-${++count}`;
    const close = element(
      'button',
      { type: 'button', class: 'icon-button', 'aria-label': 'Close', click: () => this.close() },
      icon('close'),
    );
    this.#dialog = element(
      'dialog',
      { class: `sheet ${side}`, 'aria-labelledby': id },
      element('div', { class: 'sheet-head' }, element('h2', { id }, title), close),
      this.body,
      toastPlace(),
    );
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.close();
    });
    this.#dialog.addEventListener('close', () => {
      moveToast();
      this.closed.emit();
    });
    document.body.append(this.#dialog);
  }

  get isOpen(): boolean {
    return this.#dialog.open;
  }

  open(): void {
    if (this.isOpen) return;
    this.#dialog.showModal();
    moveToast();
    this.opened.emit();
  }

  close(): void {
    if (this.isOpen) this.#dialog.close();
  }
}

/** Whether a modal dialog or a menu is open, which then takes the keys of the page. */
export const isCovered = (): boolean => document.querySelector('dialog:modal, :popover-open') !== null;
