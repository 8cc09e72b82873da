/** The rows of a user's list of sessions: their keys, and a state as the properties of its row. */
import { digest, inverted } from './session-rows.ts';
import type { ListedRow, Properties, Row, RowAction } from './row-store.ts';

/** Inverted time of the last use, and a digest of the session id. */
const ENTRY_KEY = /^\d{13}-[\w-]{43}$/;
const STATE_KEY = /^state-[\w-]{43}$/;
/** Start of the keys of states. */
export const STATE_PREFIX = 'state-';
/** A text that sorts after all states. */
export const AFTER_STATES = 'state.';

/** The key of the row that says which generation of answers a user has. */
export const USER_KEY = 'user';

/** A session in a list. Times in milliseconds since 1970. */
export interface ListedSession {
  sessionId: string;
  title: string;
  createdAt: number;
  updatedAt: number;
}

/**
 * The state of a session's newest conversation. A session that is deleted, or has no interaction yet, has a state but no
 * entry. That of an erased session has no id.
 */
export interface SessionState extends ListedSession {
  epoch: number;
  deleted: boolean;
}

/** True for the key of an entry, which is also what a list gives as the position of its next page. */
export const isListPosition = (text: string): boolean => ENTRY_KEY.test(text);

/** True for the key of a state. */
export const isStateKey = (key: string): boolean => STATE_KEY.test(key);

/** The partition of a user's rows. */
export const indexPartition = (userId: string): string => digest('index', userId);
/** The key of a session's state. */
export const stateKey = (sessionId: string): string => STATE_PREFIX + digest(sessionId);
/** The key of the entry that belongs to a state. */
export const entryKey = ({ updatedAt, sessionId }: ListedSession): string =>
  `${inverted(updatedAt)}-${digest(sessionId)}`;

/** The writes that make `next` the state of a session in place of `row`, and its entry that of `next`. */
export function toActions(
  row: Row | undefined,
  next: SessionState,
  { key, oldEntry }: { key: string; oldEntry: string | undefined },
): RowAction[] {
  const properties = stateProperties(next);
  const actions: RowAction[] = [
    row ? { type: 'replace', key, properties, etag: row.etag } : { type: 'insert', key, properties },
  ];
  if (!next.deleted) actions.push({ type: 'insert', key: entryKey(next), properties: entryProperties(next) });
  if (oldEntry) actions.push({ type: 'remove', key: oldEntry });
  return actions;
}

const entryProperties = ({ sessionId, title, createdAt, updatedAt }: ListedSession) => ({
  sessionId,
  title,
  createdAt: String(createdAt),
  updatedAt: String(updatedAt),
});

/** A state as the properties of its row. */
export const stateProperties = (state: SessionState) => ({
  ...entryProperties(state),
  epoch: String(state.epoch),
  deleted: state.deleted,
});

/** Gives what the row of an entry, or of a state, says. */
export function toListed({ properties }: ListedRow): ListedSession {
  return {
    sessionId: text(properties['sessionId']),
    title: text(properties['title']),
    createdAt: Number(properties['createdAt']),
    updatedAt: Number(properties['updatedAt']),
  };
}

/** Gives the state in a row. */
export function toState(row: ListedRow): SessionState {
  const { epoch, deleted } = row.properties;
  return { ...toListed(row), epoch: Number(epoch), deleted: deleted === true };
}

const text = (value: Properties[string] | undefined): string => (typeof value === 'string' ? value : '');
