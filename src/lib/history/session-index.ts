/**
 * The sessions of each signed-in user. A user's partition has two rows for each session: the state, which is stored before
 * the session has any row, and the entry, whose key sorts the most recently used session first and is computed from the
 * state. Concurrent writers conflict on the etag of the state. Rejected: order by the start of a conversation (the time of the last use would need a
 * read for each session), entries without a state (concurrent writers leave two), and sorting in memory (reads them all).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { after, inverted } from './session-rows.ts';
import { RowConflictError, type RowStore } from './row-store.ts';
import {
  AFTER_STATES,
  entryKey,
  indexPartition,
  type ListedSession,
  type SessionState,
  STATE_PREFIX,
  stateKey,
  stateProperties,
  toActions,
  toListed,
  toState,
} from './session-index-rows.ts';

const TITLE_CHARS = 80;
/** Rows of a page of {@link SessionIndex.states}. */
const STATES_PAGE = 100;
/** Attempts at a change while other writers conflict with it, and the base of the growing pause between them. */
const MAX_ATTEMPTS = 8;
const PAUSE_MS = 10;

/** A page of a user's sessions, the most recently used first. */
export interface SessionList {
  sessions: ListedSession[];
  /** Position of the next page; null when there is none. */
  before: string | null;
}

/** What the index records when an interaction was stored. */
export interface IndexEntry {
  sessionId: string;
  epoch: number;
  /** The question, if the interaction is the first of its conversation. */
  firstQuestion?: string | undefined;
}

/** What {@link SessionIndex.note} gives for a conversation that was deleted meanwhile. */
export const FORGOTTEN = 'forgotten';

/** The index of sessions by user. Every method rejects when the store fails. */
export class SessionIndex {
  readonly #store: RowStore;
  readonly #ttlMs: number;

  /** Sessions that were not used for `ttlMs` milliseconds have expired and are not listed. */
  constructor(store: RowStore, ttlMs: number) {
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /**
   * Stores the state of a session that has no row yet, if there is none: an erasure finds all rows of a user by the states.
   * One write in most cases.
   */
  async reserve(userId: string, sessionId: string, epoch: number): Promise<void> {
    const now = Date.now();
    const own = { sessionId, epoch, deleted: true, title: '', createdAt: now, updatedAt: now };
    try {
      await this.#store.insert(indexPartition(userId), stateKey(sessionId), stateProperties(own));
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
      await this.#change(userId, sessionId, (old) =>
        old && old.sessionId !== '' ? null : { ...own, epoch: Math.max(epoch, old?.epoch ?? 0) },
      );
    }
  }

  /**
   * Records that a conversation was used. Gives the time that the entry has then, if it was changed; or that the conversation
   * was deleted meanwhile.
   */
  async note(
    userId: string,
    { sessionId, epoch, firstQuestion }: IndexEntry,
  ): Promise<number | typeof FORGOTTEN | undefined> {
    const now = Date.now();
    const ownTitle = toTitle(firstQuestion ?? '');
    let isForgotten = false;
    const changed = await this.#change(userId, sessionId, (old) => {
      isForgotten = old !== undefined && old.epoch > epoch;
      if (isForgotten) return null;
      const same = old?.epoch === epoch && !old.deleted ? old : undefined;
      const title = same?.title || ownTitle;
      // A later use is recorded already.
      if (same && same.updatedAt >= now && same.title === title) return null;
      const updatedAt = Math.max(now, (old?.updatedAt ?? 0) + 1);
      return { sessionId, epoch, deleted: false, title, createdAt: same?.createdAt ?? now, updatedAt };
    });
    return isForgotten ? FORGOTTEN : changed?.updatedAt;
  }

  /** Takes back what {@link note} recorded, unless the conversation was used again. `noted` is the time that it gave. */
  async takeBack(userId: string, sessionId: string, noted: number): Promise<void> {
    await this.#change(userId, sessionId, (old) =>
      old && !old.deleted && old.updatedAt === noted ? { ...old, deleted: true, title: '' } : null,
    );
  }

  /** Records that all conversations before `epoch` are deleted, so that requests still writing to them are ignored. */
  async forget(userId: string, sessionId: string, epoch: number): Promise<void> {
    const now = Date.now();
    await this.#change(userId, sessionId, (old) =>
      old && old.epoch >= epoch
        ? null
        : { sessionId, epoch, deleted: true, title: '', createdAt: now, updatedAt: now },
    );
  }

  /** Like {@link forget}, and forgets the id of the session too. */
  async erase(userId: string, sessionId: string, epoch: number): Promise<void> {
    const now = Date.now();
    await this.#change(userId, sessionId, (old) =>
      old && old.epoch > epoch
        ? null
        : { sessionId: '', epoch, deleted: true, title: '', createdAt: now, updatedAt: now },
    );
  }

  /** Gives the states of all sessions of a user but the erased ones, in pages. */
  async *states(userId: string): AsyncGenerator<SessionState[], void, void> {
    for (let from = STATE_PREFIX; ;) {
      const range = { from, to: AFTER_STATES, limit: STATES_PAGE };
      const rows = await this.#store.list(indexPartition(userId), range);
      yield rows.map(toState).filter(({ sessionId }) => sessionId !== '');
      const last = rows.at(-1);
      if (!last || rows.length < STATES_PAGE) return;
      from = after(last.key);
    }
  }

  /** Lists at most `limit` sessions: the most recently used, or those after the position that another page gave. */
  async list(userId: string, limit: number, before?: string): Promise<SessionList> {
    const range = {
      from: before === undefined ? '' : after(before),
      to: inverted(Date.now() - this.#ttlMs),
      limit: limit + 1,
    };
    const rows = await this.#store.list(indexPartition(userId), range);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return { sessions: rows.slice(0, limit).map(toListed), before: last?.key ?? null };
  }

  /** Replaces the state of a session and its entry. `decide` gives the new state, or null to change nothing. Gives the same. */
  async #change(
    userId: string,
    sessionId: string,
    decide: (old: SessionState | undefined) => SessionState | null,
  ): Promise<SessionState | null> {
    const partition = indexPartition(userId);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await delay(PAUSE_MS * 2 ** attempt * Math.random());
      const row = await this.#store.get(partition, stateKey(sessionId));
      const old = row && toState(row);
      const next = decide(old);
      if (!next) return null;
      let oldEntry = old && !old.deleted ? entryKey(old) : undefined;
      // A purge that was stopped halfway may have removed the entry and kept the state.
      if (attempt > 0 && oldEntry && !(await this.#store.get(partition, oldEntry))) oldEntry = undefined;
      try {
        await this.#store.transact(partition, toActions(row, next, { key: stateKey(sessionId), oldEntry }));
        return next;
      } catch (error) {
        if (!(error instanceof RowConflictError)) throw error;
      }
    }
    throw new Error(`The session could not be changed in ${MAX_ATTEMPTS} attempts: others kept changing it.`);
  }
}

/** The first line of a question, shortened without splitting a character. */
function toTitle(question: string): string {
  const line = question.trim().split('\n', 1)[0] ?? '';
  const characters = Array.from(line);
  return characters.length > TITLE_CHARS ? `${characters.slice(0, TITLE_CHARS).join('')}…` : line;
}
