/** Questions that are asked when the answer before them is there. They survive a reload, and end with the tab. */
import { Signal } from '../parts/signal.ts';
import { isText, stored } from '../parts/storage.ts';

type Entry = [session: string, question: string];

const isEntries = (value: unknown): value is Entry[] =>
  Array.isArray(value) && value.every((entry) => Array.isArray(entry) && entry.every(isText));

const kept = stored('queue', isEntries, 'session');

/** The waiting questions of all conversations of this tab. */
export class Queue {
  readonly changed = new Signal();

  /** The waiting questions of a session, in the order in which they will be asked. */
  of(session: string | null): string[] {
    return this.#all.filter(([each]) => each === session).map(([, question]) => question);
  }

  add(session: string, question: string): void {
    this.#keep([...this.#all, [session, question]]);
  }

  /** Removes a waiting question, and returns it. */
  take(session: string | null, index = 0): string | undefined {
    const entries = this.#all;
    const taken = entries.filter(([each]) => each === session)[index];
    if (taken) this.#keep(entries.filter((each) => each !== taken));
    return taken?.[1];
  }

  get #all(): Entry[] {
    return kept.get() ?? [];
  }

  #keep(entries: Entry[]): void {
    if (entries.length > 0) kept.set(entries);
    else kept.remove();
    this.changed.emit();
  }
}
