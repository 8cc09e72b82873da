/** Says above the input that an earlier question is being edited, and what asking it will do. */
import './edit-note.css';
import { element } from '../parts/dom.ts';
import { icon } from '../parts/icon.ts';

const TEXTS = {
  branch: 'This starts a new conversation, with the messages before this question. The present one is kept.',
  replacement: 'This replaces the question that has no complete answer.',
};

/** `branch`: asked in a new conversation. `replacement`: asked in place of a stopped or failed turn. */
export type EditKind = keyof typeof TEXTS;

/** The note, with a button that gives up. */
export class EditNote {
  readonly root: HTMLElement;
  readonly #text = element('p', { id: 'edit-note' });

  constructor(cancel: () => void) {
    const button = element('button', { type: 'button', class: 'quiet', click: cancel }, 'Cancel');
    this.root = element('div', { class: 'edit-note', hidden: true }, icon('edit'), this.#text, button);
  }

  /** Shows the text for a kind of edit, or hides the note. */
  show(kind: EditKind | undefined): void {
    this.root.hidden = kind === undefined;
    this.#text.textContent = kind ? TEXTS[kind] : '';
  }
}
