/** Short messages, at most with one action, such as Undo. They have a place of their own, and cover nothing. */
import './toast.css';
import { element } from './dom.ts';

const PLAIN_MS = 5000;
/** Time to read the message and reach its action. It stops while the pointer or the focus is on the message. */
const ACTION_MS = 10_000;

/** How a message ended: its action was chosen, or it was there for its time or replaced by another one. */
export type ToastEnd = 'action' | 'expired';

let current: { end: (how: ToastEnd) => void } | undefined;

/** Creates the place of messages, which has to be on the page before the first one: screen readers watch it. */
export function toastPlace(): HTMLElement {
  return element('div', { class: 'toasts', role: 'status' });
}

/** Shows a message in place of the one before, and resolves when it is gone. `action` is the label of its button. */
export function showToast(message: string, action?: string): Promise<ToastEnd> {
  current?.end('expired');
  return new Promise((resolve) => {
    const root = element('div', { class: 'toast' }, element('p', {}, message));
    let timer = 0;
    const toast = {
      end(how: ToastEnd) {
        clearTimeout(timer);
        if (current === toast) current = undefined;
        root.remove();
        resolve(how);
      },
    };
    current = toast;
    if (action) {
      root.append(element('button', { type: 'button', click: () => toast.end('action') }, action));
    }
    const run = () => {
      clearTimeout(timer);
      if (root.contains(document.activeElement)) return;
      timer = window.setTimeout(() => toast.end('expired'), action ? ACTION_MS : PLAIN_MS);
    };
    for (const name of ['pointerenter', 'focusin']) root.addEventListener(name, () => clearTimeout(timer));
    for (const name of ['pointerleave', 'focusout']) root.addEventListener(name, run);
    place()?.append(root);
    run();
  });
}

/** Moves a message to the place that can be used now. Called after a modal dialog has opened or closed. */
export function moveToast(): void {
  const shown = document.querySelector('.toast');
  if (shown && shown.parentElement !== place()) place()?.append(shown);
}

/** The place in the newest modal dialog, because everything outside of it cannot be used, or the one above the input. */
function place(): Element | undefined {
  const inDialog = [...document.querySelectorAll('dialog:modal .toasts')].at(-1);
  return inDialog ?? document.querySelector('main .toasts') ?? undefined;
}
