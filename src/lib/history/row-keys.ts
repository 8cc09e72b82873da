/** The keys of a session's rows. Rows sort by key, and inverted times in the keys put the newest row first. */
import { createHash, randomUUID } from 'node:crypto';

/**
 * Identifies a session. The same `sessionId` of two users means two sessions. `userId` is null when the caller is not
 * signed in.
 */
export interface SessionKey {
  userId: string | null;
  sessionId: string;
}

/**
 * The position in a session after which the next interaction is appended. Each new conversation of a session has a new
 * epoch, so that a request that still writes to an old conversation cannot add to the new one.
 */
export interface Position {
  /** When this conversation began, in milliseconds since 1970; 0 for the first conversation of a session. */
  epoch: number;
  /** When its newest known interaction was stored, in milliseconds since 1970; 0 when it has none. */
  lastMs: number;
}

/** The position in a session that has no interactions yet. */
export const FIRST_POSITION: Position = { epoch: 0, lastMs: 0 };

const MAX_MS = 9_999_999_999_999;
/** Sorts after the keys of interactions and markers, which start with a digit, and before all other keys. */
export const AFTER_INTERACTIONS = 'i';
const INTERACTION_OR_MARKER = /^\d{13}-\d{13}-[\da-f-]{36}$/;

/** `MAX_MS - ms` in 13 digits: as text, a later time sorts first. */
export const inverted = (ms: number): string => String(MAX_MS - ms).padStart(13, '0');
/** A text that sorts after `key` and before the next key. */
export const after = (key: string): string => `${key}!`;

const uninverted = (digits: string): number => MAX_MS - Number(digits);

/** Digest for use in keys: a key cannot contain every character that user input can. */
export const digest = (...parts: unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** The partition of a session's rows. */
export const sessionPartition = ({ userId, sessionId }: SessionKey): string => digest(userId, sessionId);

/** Key of the row for an interaction that is stored now, after `position`. */
export function interactionKey(position: Position): string {
  const ms = Math.max(Date.now(), position.lastMs + 1);
  return `${inverted(position.epoch)}-${inverted(ms)}-${randomUUID()}`;
}

/** Key of the marker row that begins `epoch`. It sorts after every interaction of that epoch. */
export function markerKey(epoch: number): string {
  return `${inverted(epoch)}-${MAX_MS}-${randomUUID()}`;
}

/** True for the keys that {@link interactionKey} and {@link markerKey} give. */
export const isInteractionOrMarkerKey = (key: string): boolean => INTERACTION_OR_MARKER.test(key);

/** Parses the key of an interaction or a marker. For a marker, `lastMs` is 0. */
export function parseKey(key: string): Position {
  const [epoch = '', ms = ''] = key.split('-', 2);
  return { epoch: uninverted(epoch), lastMs: uninverted(ms) };
}

/** True for the key of a marker. */
export const isMarkerKey = (key: string): boolean => parseKey(key).lastMs === 0;

/** The epoch of a conversation that begins at `now`: always later than `newest`, even if the clock was set back. */
export const nextEpoch = (newest: number, now: number): number => Math.max(now, newest + 1);
