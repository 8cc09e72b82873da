/** The keys of a session's rows, which put the newest first: DESIGN, "Data". */
import { createHash, randomUUID } from 'node:crypto';

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

/** Where the first conversation of a session stands before its first interaction. */
export const FIRST_POSITION: Position = { epoch: 0, lastMs: 0 };

const MAX_MS = 9_999_999_999_999;
/** Keys of interactions and markers start with a digit; everything else in a partition sorts after this. */
export const AFTER_INTERACTIONS = 'i';
const INTERACTION_OR_MARKER = /^\d{13}-\d{13}-[\da-f-]{36}$/;

/** `MAX_MS - ms` in 13 digits, so that the newest sorts first as text. */
export const inverted = (ms: number): string => String(MAX_MS - ms).padStart(13, '0');
/** The first text that sorts after `key` and every key like it: none begins with another of its length. */
export const after = (key: string): string => `${key}!`;

const uninverted = (digits: string): number => MAX_MS - Number(digits);

/** Digest of what names a partition: user text never is a key, which may not hold every character. */
export const digest = (...parts: unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** The partition of a session's rows. */
export const sessionPartition = ({ userId, sessionId }: SessionKey): string => digest(userId, sessionId);

/** Key of the row for an interaction stored now, after `position`: newest first within its epoch. */
export function interactionKey(position: Position): string {
  const ms = Math.max(Date.now(), position.lastMs + 1);
  return `${inverted(position.epoch)}-${inverted(ms)}-${randomUUID()}`;
}

/** Key of the marker that begins `epoch`: it sorts after every interaction of that epoch. */
export function markerKey(epoch: number): string {
  return `${inverted(epoch)}-${MAX_MS}-${randomUUID()}`;
}

/** True for what {@link interactionKey} and {@link markerKey} give. */
export const isInteractionOrMarkerKey = (key: string): boolean => INTERACTION_OR_MARKER.test(key);

/** Reads such a key back. A marker has 0 as its time. */
export function parseKey(key: string): Position {
  const [epoch = '', ms = ''] = key.split('-', 2);
  return { epoch: uninverted(epoch), lastMs: uninverted(ms) };
}

/** True for the key of a marker. */
export const isMarkerKey = (key: string): boolean => parseKey(key).lastMs === 0;

/** The epoch of a conversation begun now: later than `newest`, the newest epoch so far, whatever the clock says. */
export const nextEpoch = (newest: number, now: number): number => Math.max(now, newest + 1);
