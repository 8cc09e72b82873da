/** Texts that were not sent yet, one for each conversation. They survive a reload, and end with the tab. */
import { isFlag, isText, stored, type Stored } from '../parts/storage.ts';

/** What is in the input. */
export interface Draft {
  text: string;
  /** The text is an edited question, to be asked in a new conversation. */
  isBranch: boolean;
  /** What is before this position goes with it; undefined for nothing. */
  position?: string | undefined;
  /** The text that the edited question has displaced. */
  before: string;
}

const EMPTY: Draft = { text: '', isBranch: false, before: '' };

function isDraft(value: unknown): value is Draft {
  const { text, isBranch, position, before } = (value ?? {}) as Partial<Record<keyof Draft, unknown>>;
  return [text, before, position ?? ''].every(isText) && isFlag(isBranch);
}

/** The drafts of this tab. One of them is open: that of the conversation that is shown. */
export class Drafts {
  readonly #all = new Map<string, Stored<Draft>>();
  #open = this.#of(null);

  /** Opens the draft of a session, or that of a new conversation. */
  open(sessionId: string | null): Draft {
    this.#open = this.#of(sessionId);
    return this.#open.get() ?? EMPTY;
  }

  /** Stores the open draft, or removes it when it is empty. */
  keep(draft: Draft): void {
    if (draft.text === '' && draft.before === '') this.#open.remove();
    else this.#open.set(draft);
  }

  /** The new conversation has got its id: its draft goes with it. */
  move(sessionId: string): void {
    const draft = this.#open.get();
    this.#open.remove();
    this.#open = this.#of(sessionId);
    if (draft) this.#open.set(draft);
  }

  #of(sessionId: string | null): Stored<Draft> {
    const name = sessionId === null ? 'draft' : `draft.${sessionId}`;
    const draft = this.#all.get(name) ?? stored(`composer.${name}`, isDraft, 'session');
    this.#all.set(name, draft);
    return draft;
  }
}
