/** Which sessions a signed-in user has: a partition for each user, a row for each conversation. */
import { digest, inverted } from './row-keys.ts';
import type { Properties, Row, RowStore } from './row-store.ts';

const TITLE_CHARS = 80;
/** A digest and the inverted epoch. */
const INDEX_KEY = /^[\w-]{43}-\d{13}$/;
const POSITION = /^\d{1,13}-[\w-]{43}$/;

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

type Entry = ListedSession & { deleted: boolean };

/** Lists sessions. Every method rejects when the store cannot be reached. */
export class SessionIndex {
  readonly #store: RowStore;
  readonly #ttlMs: number;

  /** Sessions that were not used for `ttlMs` milliseconds are not listed. */
  constructor(store: RowStore, ttlMs: number) {
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /** Notes that a conversation goes on. */
  async note(userId: string, { sessionId, epoch, firstQuestion }: IndexEntry): Promise<void> {
    const now = String(Date.now());
    const first = firstQuestion !== undefined && { title: toTitle(firstQuestion), createdAt: now };
    await this.#merge(userId, sessionId, epoch, { updatedAt: now, deleted: false, ...first });
  }

  /** Notes that all conversations before `epoch` are forgotten, for those too who still write to them. */
  async forget(userId: string, sessionId: string, epoch: number): Promise<void> {
    await this.#merge(userId, sessionId, epoch, { updatedAt: String(Date.now()), deleted: true });
  }

  /** Lists at most `limit` sessions: the newest, or those before the position that a list named. */
  async list(userId: string, limit: number, before?: string): Promise<SessionList> {
    const rows = await this.#store.list(indexPartition(userId));
    const newest = newestOfEach(rows).filter(
      ({ deleted, updatedAt }) => !deleted && updatedAt >= Date.now() - this.#ttlMs,
    );
    const sorted = newest.toSorted((a, b) => (positionOf(a) > positionOf(b) ? -1 : 1));
    const older = before === undefined ? sorted : sorted.filter((entry) => positionOf(entry) < before);
    const sessions = older.slice(0, limit);
    const last = sessions.at(-1);
    return {
      sessions,
      before: last && older.length > limit ? positionOf(last) : null,
    };
  }

  async #merge(userId: string, sessionId: string, epoch: number, properties: Properties): Promise<void> {
    const key = `${digest(sessionId)}-${inverted(epoch)}`;
    await this.#store.merge(indexPartition(userId), key, { sessionId, ...properties });
  }
}

/** True for the key of a row of this index. */
export const isIndexKey = (key: string): boolean => INDEX_KEY.test(key);

/** True for what a list may have named as the position of the next page. */
export const isListPosition = (text: string): boolean => POSITION.test(text);

const indexPartition = (userId: string): string => digest('index', userId);

const positionOf = ({ updatedAt, sessionId }: ListedSession): string =>
  `${String(updatedAt).padStart(13, '0')}-${digest(sessionId)}`;

/** Rows come with the newest conversation of each session first; the others are forgotten ones. */
function newestOfEach(rows: Row[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const { properties } of rows) {
    const sessionId = text(properties['sessionId']);
    if (!entries.has(sessionId)) entries.set(sessionId, toEntry(sessionId, properties));
  }
  return [...entries.values()];
}

function toEntry(sessionId: string, properties: Properties): Entry {
  const updatedAt = Number(properties['updatedAt']);
  return {
    sessionId,
    title: text(properties['title']),
    createdAt: Number(properties['createdAt'] ?? updatedAt),
    updatedAt,
    deleted: properties['deleted'] === true,
  };
}

const text = (value: Properties[string] | undefined): string => (typeof value === 'string' ? value : '');

/** The first line, shortened by whole characters. */
function toTitle(question: string): string {
  const line = question.trim().split('\n', 1)[0] ?? '';
  const characters = Array.from(line);
  return characters.length > TITLE_CHARS ? `${characters.slice(0, TITLE_CHARS).join('')}…` : line;
}
