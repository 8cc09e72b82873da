/** Deletes conversations, with time to undo it. */
import { type AskFailure, failureFrom } from '../api/failure.ts';
import { deleteSession } from '../api/sessions.ts';
import { goTo } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import { showToast } from '../parts/toast.ts';
import type { Entry } from './entry.ts';
import { keepDeleting, keptDeleting } from './kept.ts';
import type { SessionStore } from './session-store.ts';

/** Conversations that are not in the list any more, and are still on the server. */
export class Deletions {
  readonly #store: SessionStore;
  readonly #conversation: Conversation;
  /** Those that can be undone. */
  readonly #pending = new Set<string>();
  /** What went wrong and was not said yet. */
  readonly #failures: string[] = [];

  constructor(store: SessionStore, conversation: Conversation) {
    this.#store = store;
    this.#conversation = conversation;
    addEventListener('pagehide', () => this.#leave());
    void this.#finishEarlierOnes();
  }

  /** Takes a conversation off the list, and deletes it when that was not undone. */
  async delete({ id, title }: Entry): Promise<void> {
    const wasOpen = this.#conversation.sessionId === id;
    this.#pending.add(id);
    this.#store.hide(id);
    if (wasOpen) void goTo(this.#conversation, null);
    const end = await showToast(`“${title}” was deleted.`, 'Undo');
    // False when the page was left meanwhile and is shown again by the Back button.
    if (!this.#pending.delete(id)) return;
    if (end === 'expired') await this.#send(id);
    else this.#store.show(id);
    if (end === 'action' && wasOpen && this.#conversation.turns.length === 0)
      void goTo(this.#conversation, id);
    this.#tellFailures();
  }

  async #send(id: string): Promise<void> {
    try {
      await deleteSession(id);
      this.#store.forget(id);
    } catch (error) {
      this.#bringBack(id, failureFrom(error));
    }
  }

  #bringBack(id: string, { message }: AskFailure): void {
    this.#store.show(id);
    this.#failures.push(`“${this.#store.titleOf(id) ?? 'A conversation'}” was not deleted. ${message}`);
    this.#tellFailures();
  }

  /** Waits until no Undo is shown, which the message would replace. */
  #tellFailures(): void {
    if (this.#pending.size > 0 || this.#failures.length === 0) return;
    void showToast(this.#failures.splice(0).join(' '));
  }

  /** Sends what can no longer be undone. Nobody sees whether that succeeds, so the next visit makes sure of it. */
  #leave(): void {
    const ids = [...this.#pending];
    if (ids.length === 0) return;
    keepDeleting([...keptDeleting(), ...ids]);
    this.#pending.clear();
    for (const id of ids) void deleteSession(id, true).catch(() => {});
  }

  async #finishEarlierOnes(): Promise<void> {
    const ids = keptDeleting();
    for (const id of ids) this.#store.hide(id);
    const results = await Promise.all(ids.map((id) => this.#finish(id)));
    if (ids.length > 0) keepDeleting(ids.filter((_, at) => !results[at]));
  }

  /** Returns false when it has to be tried again at the next visit: the server needs to know the user first. */
  async #finish(id: string): Promise<boolean> {
    try {
      await deleteSession(id);
      this.#store.forget(id);
    } catch (error) {
      const failure = failureFrom(error);
      if (failure.needsKey || failure.needsSignIn) return false;
      this.#bringBack(id, failure);
    }
    return true;
  }
}
