/**
 * The sessions of each signed-in user. A user's partition has two rows for each session: the entry, whose key sorts the
 * most recently used session first, and the state, from which the key of the entry is computed. Concurrent writers
 * conflict on the etag of the state. Rejected: order by the start of a conversation (the time of the last use would need a
 * read for each session), entries without a state (concurrent writers leave two), and sorting in memory (reads them all).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { after, digest, inverted } from './session-rows.ts';
import {
  type ListedRow,
  type Properties,
  type Row,
  type RowAction,
  RowConflictError,
  type RowStore,
} from './row-store.ts';

const TITLE_CHARS = 80;
/** Inverted time of the last use, and a digest of the session id. */
const ENTRY_KEY = /^\d{13}-[\w-]{43}$/;
const STATE_KEY = /^state-[\w-]{43}$/;
/** Attempts at a change while other writers conflict with it, and the base of the growing pause between them. */
const MAX_ATTEMPTS = 8;
const PAUSE_MS = 10;

/** A session in a list. Times in milliseconds since 1970. */
export interface ListedSession {
  sessionId: string;
  title: string;
  createdAt: number;
  updatedAt: number;
}

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

/** The state of a session's newest conversation. A deleted session has a state but no entry. */
interface State extends ListedSession {
  epoch: number;
  deleted: boolean;
}

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
   * Records that a conversation was used. Does nothing when the conversation was deleted meanwhile. Gives the time that the
   * entry has then, if it was changed.
   */
  async note(userId: string, { sessionId, epoch, firstQuestion }: IndexEntry): Promise<number | undefined> {
    const now = Date.now();
    const ownTitle = toTitle(firstQuestion ?? '');
    const changed = await this.#change(userId, sessionId, (old) => {
      if (old && old.epoch > epoch) return null;
      const same = old?.epoch === epoch && !old.deleted ? old : undefined;
      const title = same?.title || ownTitle;
      // A later use is recorded already.
      if (same && same.updatedAt >= now && same.title === title) return null;
      const updatedAt = Math.max(now, (old?.updatedAt ?? 0) + 1);
      return { sessionId, epoch, deleted: false, title, createdAt: same?.createdAt ?? now, updatedAt };
    });
    return changed?.updatedAt;
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
    decide: (old: State | undefined) => State | null,
  ): Promise<State | null> {
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
        await this.#store.transact(partition, toActions(row, next, oldEntry));
        return next;
      } catch (error) {
        if (!(error instanceof RowConflictError)) throw error;
      }
    }
    throw new Error(`The session could not be changed in ${MAX_ATTEMPTS} attempts: others kept changing it.`);
  }
}

/** True for the key of an entry, which is also what a list gives as the position of its next page. */
export const isListPosition = (text: string): boolean => ENTRY_KEY.test(text);

/** True for the key of a state. */
export const isStateKey = (key: string): boolean => STATE_KEY.test(key);

const indexPartition = (userId: string): string => digest('index', userId);
const stateKey = (sessionId: string): string => `state-${digest(sessionId)}`;
const entryKey = ({ updatedAt, sessionId }: ListedSession): string =>
  `${inverted(updatedAt)}-${digest(sessionId)}`;

function toActions(row: Row | undefined, next: State, oldEntry: string | undefined): RowAction[] {
  const { sessionId, title, createdAt, updatedAt, epoch, deleted } = next;
  const entry = { sessionId, title, createdAt: String(createdAt), updatedAt: String(updatedAt) };
  const key = stateKey(sessionId);
  const properties = { ...entry, epoch: String(epoch), deleted };
  const actions: RowAction[] = [
    row ? { type: 'replace', key, properties, etag: row.etag } : { type: 'insert', key, properties },
  ];
  if (!deleted) actions.push({ type: 'insert', key: entryKey(next), properties: entry });
  if (oldEntry) actions.push({ type: 'remove', key: oldEntry });
  return actions;
}

function toListed({ properties }: ListedRow): ListedSession {
  return {
    sessionId: text(properties['sessionId']),
    title: text(properties['title']),
    createdAt: Number(properties['createdAt']),
    updatedAt: Number(properties['updatedAt']),
  };
}

function toState(row: Row): State {
  const { epoch, deleted } = row.properties;
  return { ...toListed(row), epoch: Number(epoch), deleted: deleted === true };
}

const text = (value: Properties[string] | undefined): string => (typeof value === 'string' ? value : '');

/** The first line of a question, shortened without splitting a character. */
function toTitle(question: string): string {
  const line = question.trim().split('\n', 1)[0] ?? '';
  const characters = Array.from(line);
  return characters.length > TITLE_CHARS ? `${characters.slice(0, TITLE_CHARS).join('')}…` : line;
}
