/**
 * Which sessions a signed-in user has. A partition for each user holds two rows for each session: its entry in the list,
 * whose key puts the session used last first, and its state, which leads to the entry and is what writers compete for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { after, digest, inverted } from './row-keys.ts';
import { type Properties, type Row, type RowAction, RowConflictError, type RowStore } from './row-store.ts';

const TITLE_CHARS = 80;
/** The inverted time of the last use, and a digest. */
const ENTRY_KEY = /^\d{13}-[\w-]{43}$/;
const STATE_KEY = /^state-[\w-]{43}$/;
/** How often a change is tried that others get in the way of, and the first pause in between. */
const MAX_ATTEMPTS = 8;
const PAUSE_MS = 10;

/** A session as its user sees it in a list. Times in milliseconds since 1970. */
export interface ListedSession {
  sessionId: string;
  title: string;
  createdAt: number;
  updatedAt: number;
}

/** Some of a user's sessions, newest first. */
export interface SessionList {
  sessions: ListedSession[];
  /** What to ask for to get the next page; null when there is none. */
  before: string | null;
}

/** What is noted of a conversation when an interaction was stored. */
export interface IndexEntry {
  sessionId: string;
  epoch: number;
  /** The first question, if this interaction is the first of its conversation. */
  firstQuestion?: string | undefined;
}

/** The newest conversation of a session. One that is deleted has no entry in the list. */
interface State extends ListedSession {
  epoch: number;
  deleted: boolean;
}

/** Lists sessions. Every method rejects when the store cannot be reached. */
export class SessionIndex {
  readonly #store: RowStore;
  readonly #ttlMs: number;

  /** Sessions that were not used for `ttlMs` milliseconds are not listed. */
  constructor(store: RowStore, ttlMs: number) {
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /** Notes that a conversation goes on. One that was forgotten meanwhile is not listed again. */
  async note(userId: string, { sessionId, epoch, firstQuestion }: IndexEntry): Promise<void> {
    const now = Date.now();
    const ownTitle = toTitle(firstQuestion ?? '');
    await this.#change(userId, sessionId, (old) => {
      if (old && old.epoch > epoch) return null;
      const same = old?.epoch === epoch && !old.deleted ? old : undefined;
      const title = same?.title || ownTitle;
      // Somebody has noted a later use.
      if (same && same.updatedAt >= now && same.title === title) return null;
      const updatedAt = Math.max(now, (old?.updatedAt ?? 0) + 1);
      return { sessionId, epoch, deleted: false, title, createdAt: same?.createdAt ?? now, updatedAt };
    });
  }

  /** Notes that all conversations before `epoch` are forgotten, for those too who still write to them. */
  async forget(userId: string, sessionId: string, epoch: number): Promise<void> {
    const now = Date.now();
    await this.#change(userId, sessionId, (old) =>
      old && old.epoch >= epoch
        ? null
        : { sessionId, epoch, deleted: true, title: '', createdAt: now, updatedAt: now },
    );
  }

  /** Lists at most `limit` sessions: the newest, or those before the position that a list named. */
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

  /** Replaces the state of a session, and its entry with it, by what `decide` makes of it; null changes nothing. */
  async #change(
    userId: string,
    sessionId: string,
    decide: (old: State | undefined) => State | null,
  ): Promise<void> {
    const partition = indexPartition(userId);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await delay(PAUSE_MS * 2 ** attempt * Math.random());
      const row = await this.#store.get(partition, stateKey(sessionId));
      const old = row && toState(row);
      const next = decide(old);
      if (!next) return;
      let oldEntry = old && !old.deleted ? entryKey(old) : undefined;
      // The purge may have been ended after the entry and before the state.
      if (attempt > 0 && oldEntry && !(await this.#store.get(partition, oldEntry))) oldEntry = undefined;
      try {
        return await this.#store.transact(partition, toActions(row, next, oldEntry));
      } catch (error) {
        if (!(error instanceof RowConflictError)) throw error;
      }
    }
    throw new Error('The session kept changing.');
  }
}

/** True for the key of a row of a list, and for what a list may have named as the position of the next page. */
export const isListPosition = (text: string): boolean => ENTRY_KEY.test(text);

/** True for the key of the row that holds the state of a session. */
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

function toListed({ properties }: Row): ListedSession {
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

/** The first line, shortened by whole characters. */
function toTitle(question: string): string {
  const line = question.trim().split('\n', 1)[0] ?? '';
  const characters = Array.from(line);
  return characters.length > TITLE_CHARS ? `${characters.slice(0, TITLE_CHARS).join('')}…` : line;
}
