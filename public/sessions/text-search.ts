/** Searches the texts of conversations. The server has no search, so they are read once, when a search first needs them. */
import { readSession } from '../api/sessions.ts';
import type { Entry } from './entry.ts';

/** Shorter texts are in every conversation. */
const MIN_CHARS = 3;
/** After the last key. */
const PAUSE_MS = 300;
/** The newest conversations, and the newest page of each. */
const MAX_READ = 100;
const AT_ONCE = 4;

/** The search of one list. */
export class TextSearch {
  /** The conversations of the list, the newest first. */
  entries: readonly Entry[] = [];
  /** The texts that were read, by the id and the time of use. */
  readonly #texts = new Map<string, string>();
  readonly #changed: () => void;
  #sought = '';
  #timer = 0;
  #isReading = false;

  /** `changed` is called when more is known. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether not all texts are known that have to be searched. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether the text of a conversation contains what is sought. */
  has(entry: Entry): boolean {
    return this.#sought !== '' && (this.#texts.get(keyOf(entry))?.includes(this.#sought) ?? false);
  }

  /** Searches for a text in small letters. */
  search(sought: string): void {
    this.#sought = sought.length < MIN_CHARS ? '' : sought;
    clearTimeout(this.#timer);
    if (this.#sought !== '') this.#timer = window.setTimeout(() => void this.#read(), PAUSE_MS);
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    const missing = this.entries.slice(0, MAX_READ).filter((entry) => !this.#texts.has(keyOf(entry)));
    this.#isReading = missing.length > 0;
    const readNext = async (): Promise<void> => {
      for (let entry = missing.shift(); entry; entry = missing.shift()) {
        // One that cannot be read is not found; the next search tries it again.
        const page = await readSession(entry.id, new AbortController().signal).catch(() => undefined);
        if (page)
          this.#texts.set(
            keyOf(entry),
            page.messages
              .map(({ content }) => content)
              .join('\n')
              .toLowerCase(),
          );
        this.#changed();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, readNext));
    this.#isReading = false;
    this.#changed();
  }
}

const keyOf = ({ id, usedAt }: Entry): string => `${usedAt} ${id}`;
