/** Chat history: what it promises, and the implementation that lives in memory. */
import { randomUUID } from 'node:crypto';

/** A question and the answer to it. */
export interface Interaction {
  question: string;
  answer: string;
}

/** Whose session: the same `sessionId` of two users is two sessions. `userId` is null when nobody is signed in. */
export interface SessionKey {
  userId: string | null;
  sessionId: string;
}

/**
 * Where a conversation stands. A session has a new epoch each time its conversation is begun anew (0 at first),
 * so that a late writer of an old conversation can never add to the new one.
 */
export interface Position {
  /** Milliseconds since 1970 when this conversation was begun; 0 for the first one. */
  epoch: number;
  /** Milliseconds of the newest interaction that was seen; 0 if none. */
  lastMs: number;
}

/** The newest interactions of the current conversation, oldest first, and where it stands. */
export interface Conversation extends Position {
  interactions: Interaction[];
}

/**
 * Keeps the interactions of many sessions. Every method may reject when the store cannot be reached; nothing is
 * ever pretended to be stored or forgotten.
 */
export interface ChatHistory {
  /** Reads at most `limit` interactions, the newest of the current conversation. An unknown session is empty. */
  read(session: SessionKey, limit: number): Promise<Conversation>;
  /**
   * Stores one interaction after `position`, in its conversation. Appends at the same time from the same position
   * are all kept, in one order that every later read agrees on.
   */
  append(session: SessionKey, position: Position, interaction: Interaction): Promise<void>;
  /** Begins a new conversation; gives where it stands. Earlier interactions are never read again. */
  reset(session: SessionKey): Promise<Position>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
}

/** Where the first conversation of a session stands before its first interaction. */
export const FIRST_POSITION: Position = { epoch: 0, lastMs: 0 };

/** A row of a session: an interaction, or (null) the marker that began its epoch. */
export interface Row extends Position {
  rowKey: string;
  interaction: Interaction | null;
}

const MAX_MS = 9_999_999_999_999;

/** `MAX_MS - ms` in 13 digits, so that the newest sorts first as text. */
export const inverted = (ms: number): string => String(MAX_MS - ms).padStart(13, '0');
const uninverted = (digits: string): number => MAX_MS - Number(digits);

/** Key of the row for an interaction stored now, after `position`: newest first within its epoch. */
export function interactionRowKey(position: Position): string {
  const ms = Math.max(Date.now(), position.lastMs + 1);
  return `${inverted(position.epoch)}-${inverted(ms)}-${randomUUID()}`;
}

/** Key of the marker that begins `epoch`: it sorts after every interaction of that epoch. */
export function markerRowKey(epoch: number): string {
  return `${inverted(epoch)}-${MAX_MS}-${randomUUID()}`;
}

/** Reads a row key back. A marker has 0 as its time. */
export function parseRowKey(rowKey: string): Position {
  const [epoch = '', ms = ''] = rowKey.split('-', 2);
  return { epoch: uninverted(epoch), lastMs: uninverted(ms) };
}

/** The epoch of a conversation begun now: later than `newest`, the newest epoch so far, whatever the clock says. */
export const nextEpoch = (newest: number, now: number): number => Math.max(now, newest + 1);

/** Makes a conversation of the first rows of a session, given newest first. */
export function toConversation(rows: readonly Row[], limit: number): Conversation {
  const newest = rows[0] ?? FIRST_POSITION;
  const interactions = rows
    .filter((row) => row.epoch === newest.epoch)
    .flatMap((row) => row.interaction ?? [])
    .slice(0, limit)
    .toReversed();
  return { epoch: newest.epoch, lastMs: newest.lastMs, interactions };
}

/** Chat history of this process only: for tests and experiments, with the promises of the real one. */
export function createMemoryChatHistory(): ChatHistory {
  const sessions = new Map<string, Row[]>();
  const rowsOf = ({ userId, sessionId }: SessionKey): Row[] => {
    const key = JSON.stringify([userId, sessionId]);
    const rows = sessions.get(key) ?? [];
    sessions.set(key, rows);
    return rows;
  };
  const insert = (session: SessionKey, rowKey: string, interaction: Interaction | null): void => {
    const rows = rowsOf(session);
    rows.push({ ...parseRowKey(rowKey), rowKey, interaction });
    rows.sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1));
  };

  return {
    read: async (session, limit) => toConversation(rowsOf(session), limit),
    append: async (session, position, interaction) =>
      insert(session, interactionRowKey(position), structuredClone(interaction)),
    async reset(session) {
      const epoch = nextEpoch(rowsOf(session)[0]?.epoch ?? 0, Date.now());
      insert(session, markerRowKey(epoch), null);
      return { epoch, lastMs: 0 };
    },
    check: async () => {},
  };
}
