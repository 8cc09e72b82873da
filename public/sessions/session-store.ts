/** The list of conversations, without anything that is shown. */
import { type AskFailure, failureFrom, keyMissing } from '../api/failure.ts';
import { hasKey } from '../api/request.ts';
import { listSessions } from '../api/sessions.ts';
import { pageHasCallerKeys, pageHasUser } from '../api/sign-in.ts';
import { forgetAskedIn } from '../model/asked.ts';
import type { Conversation } from '../model/conversation.ts';
import { Signal } from '../parts/signal.ts';
import { isFlag, stored } from '../parts/storage.ts';
import { byUse, type Entry, titleOf } from './entry.ts';
import { forgetKept, keepEntry, keepName, keptEntries, keptNames, onKeptChange } from './kept.ts';

/** Whose list it is; `unknown` until the server has answered. */
export type Source = 'unknown' | 'server' | 'browser';

/** Whether the last list in this browser was that of a signed-in user. */
const wasSignedIn = stored('signed-in', isFlag);

/** The conversations of the signed-in user, or of this browser when nobody is signed in. */
export class SessionStore {
  readonly changed = new Signal();
  /** A conversation is open that the server does not have any more. It was removed from the list. */
  readonly vanished = new Signal<Entry>();
  readonly #conversation: Conversation;
  #source: Source = 'unknown';
  #failure: AskFailure | undefined;
  /** The pages of the server that were read. */
  #listed: Entry[] = [];
  #next: string | null = null;
  #isReading = false;
  readonly #hidden = new Set<string>();
  /** Resolves when the server has answered: before, nobody knows whose conversations these are. */
  readonly #known = Promise.withResolvers<void>();

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    conversation.opened.listen(() => this.changed.emit());
    for (const signal of [conversation.asked, conversation.settled])
      signal.listen(() => {
        if (conversation.sessionId !== null) void this.#use(conversation.sessionId);
      });
    conversation.read.listen(() => void this.#noteRead());
    onKeptChange(() => this.changed.emit());
  }

  get source(): Source {
    return this.#source;
  }

  /** Why the list of the server could not be read. */
  get failure(): AskFailure | undefined {
    return this.#failure;
  }

  /** Whether the server has older conversations than those in `entries`. */
  get hasMore(): boolean {
    return this.#next !== null;
  }

  /** The most recently used first. */
  get entries(): Entry[] {
    const names = keptNames();
    return this.#all()
      .filter(({ id }) => !this.#hidden.has(id))
      .toSorted(byUse)
      .map((entry) => ({ ...entry, title: names.get(entry.id) ?? entry.title }));
  }

  /** The title of the open conversation; undefined for a new one. */
  get title(): string | undefined {
    const { sessionId, turns } = this.#conversation;
    const listed = sessionId === null ? undefined : this.titleOf(sessionId);
    return listed ?? (turns[0] && titleOf(turns[0].question));
  }

  /** The title of a conversation; undefined when it is not listed. */
  titleOf(id: string): string | undefined {
    return keptNames().get(id) ?? this.#all().find((entry) => entry.id === id)?.title;
  }

  /** Reads the newest page of the server's list, if a user is or was signed in, or has a key. */
  async load(): Promise<void> {
    if (pageHasCallerKeys() && !hasKey()) this.#settle(this.#source, keyMissing());
    else if (pageHasUser() || pageHasCallerKeys() || wasSignedIn.get()) await this.#read(null);
    else this.#settle('browser', undefined);
  }

  /** Reads the next page. */
  async loadMore(): Promise<void> {
    if (this.#next !== null) await this.#read(this.#next);
  }

  /** Gives a conversation a name, which only this browser keeps. An empty name restores the first question. */
  rename(id: string, name: string): void {
    keepName(id, titleOf(name));
    this.changed.emit();
  }

  /** Leaves a conversation out of the list until it is shown again. */
  hide(id: string): void {
    this.#hidden.add(id);
    this.changed.emit();
  }

  /** Shows a conversation again. */
  show(id: string): void {
    this.#hidden.delete(id);
    this.changed.emit();
  }

  /** Forgets a conversation that was deleted. */
  forget(id: string): void {
    forgetKept(id);
    forgetAskedIn(id);
    this.#listed = this.#listed.filter((entry) => entry.id !== id);
    this.show(id);
  }

  /** Whether the list is that of a user, whose conversations are not kept in the browser. */
  get #isUsers(): boolean {
    const isExpected = pageHasCallerKeys() || wasSignedIn.get() === true;
    return this.#source === 'server' || (this.#source === 'unknown' && isExpected);
  }

  #all(): Entry[] {
    if (this.#isUsers) return this.#listed;
    return this.#source === 'browser' || this.#failure ? keptEntries() : [];
  }

  async #read(next: string | null): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const page = await listSessions(next);
      const entries = page.sessions.map(({ session_id: id, title, updated_at: at }) => ({
        id,
        title,
        usedAt: Date.parse(at),
      }));
      const added = new Set(entries.map(({ id }) => id));
      this.#listed = [...this.#listed.filter(({ id }) => !added.has(id)), ...entries];
      this.#next = page.next;
      this.#settle('server', undefined);
      wasSignedIn.set(true);
    } catch (error) {
      const failure = failureFrom(error);
      const isNobody = failure.code === 'not_signed_in';
      this.#settle(isNobody ? 'browser' : this.#source, isNobody && !wasSignedIn.get() ? undefined : failure);
      if (isNobody) wasSignedIn.remove();
    } finally {
      this.#isReading = false;
    }
  }

  #settle(source: Source, failure: AskFailure | undefined): void {
    this.#source = source;
    this.#failure = failure;
    this.#known.resolve();
    this.changed.emit();
  }

  /** The open conversation was just used. */
  async #use(id: string): Promise<void> {
    const question = this.#conversation.turns[0]?.question ?? '';
    await this.#known.promise;
    const known = this.#all().find((entry) => entry.id === id);
    this.#put({ id, title: known?.title ?? titleOf(question), usedAt: Date.now() });
    // The key was missing before.
    if (this.#failure?.needsKey) await this.load();
  }

  #put(entry: Entry): void {
    if (this.#isUsers) this.#listed = [entry, ...this.#listed.filter(({ id }) => id !== entry.id)];
    else keepEntry(entry);
    this.changed.emit();
  }

  /** A conversation was opened, perhaps by its address. */
  async #noteRead(): Promise<void> {
    const { sessionId: id, turns } = this.#conversation;
    this.changed.emit();
    await this.#known.promise;
    const known = this.#all().find((entry) => entry.id === id);
    if (id === null) return;
    if (turns.length === 0 && known) {
      this.forget(id);
      this.vanished.emit(known);
    }
    // All conversations of a user are on the server's pages, once they have an answer.
    const isListed = this.#isUsers && turns.some(({ position }) => position !== undefined);
    if (turns.length > 0 && !known && !isListed) await this.#use(id);
  }
}
