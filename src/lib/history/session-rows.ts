/** The rows of a session: their keys, and an interaction as the properties of a row. */
import { hash, randomUUID } from 'node:crypto';
import { POSITION_PATTERN } from '../contract/ask-fields.ts';
import type { ChatMessage } from '../contract/responses.ts';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { Properties } from './row-store.ts';

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
  /** When the question of its newest known interaction came, in milliseconds since 1970; 0 when it has none. */
  lastMs: number;
}

/** The position in a session that has no interactions yet. */
export const FIRST_POSITION: Position = { epoch: 0, lastMs: 0 };

const MAX_MS = 9_999_999_999_999;
/** Sorts after the keys of interactions and markers, which start with a digit, and before all other keys. */
export const AFTER_INTERACTIONS = 'i';

/** `MAX_MS - ms` in 13 digits: as text, a later time sorts first. */
export const inverted = (ms: number): string => String(MAX_MS - ms).padStart(13, '0');
/** A text that sorts after `key` and before the next key. */
export const after = (key: string): string => `${key}!`;

const uninverted = (digits: string): number => MAX_MS - Number(digits);

/** Digest for use in keys: a key cannot contain every character that user input can. */
export const digest = (...parts: unknown[]): string => hash('sha256', JSON.stringify(parts), 'base64url');

/** The partition of a session's rows. */
export const sessionPartition = ({ userId, sessionId }: SessionKey): string => digest(userId, sessionId);

/**
 * Key of the row for an interaction whose question came at `askedAt` (milliseconds since 1970), after `position`. `id` is a
 * UUID.
 */
export function interactionKey(position: Position, askedAt: number, id: string = randomUUID()): string {
  const ms = Math.max(askedAt, position.lastMs + 1);
  return `${inverted(position.epoch)}-${inverted(ms)}-${id}`;
}

/** Key of the row that takes the place of an interaction: at the same time of the same conversation. */
export function replacingKey(key: string): string {
  const [epoch, ms] = key.split('-', 2);
  return `${epoch}-${ms}-${randomUUID()}`;
}

/** Key of the copy of an interaction, in the first conversation of another session. */
export const copiedKey = (key: string): string => interactionKey(FIRST_POSITION, parseKey(key).lastMs);

/** Key of the marker row that begins `epoch`. It sorts after every interaction of that epoch. */
export function markerKey(epoch: number): string {
  return `${inverted(epoch)}-${MAX_MS}-${randomUUID()}`;
}

/** True for the keys that {@link interactionKey} and {@link markerKey} give. */
export const isInteractionOrMarkerKey = (key: string): boolean => POSITION_PATTERN.test(key);

/** Parses the key of an interaction or a marker. For a marker, `lastMs` is 0. */
export function parseKey(key: string): Position {
  const [epoch = '', ms = ''] = key.split('-', 2);
  return { epoch: uninverted(epoch), lastMs: uninverted(ms) };
}

/** True for the key of a marker. */
export const isMarkerKey = (key: string): boolean => parseKey(key).lastMs === 0;

/** The epoch of a conversation that begins at `now`: always later than `newest`, even if the clock was set back. */
export const nextEpoch = (newest: number, now: number): number => Math.max(now, newest + 1);

/** A question and the answer to it. */
export interface Interaction {
  question: string;
  answer: string;
  /** The question or the answer was cut off at its end, because both together were too long for a row. */
  shortened?: true;
  /** The answer was stopped: it is what had come by then. */
  stopped?: true;
  /** Its number in the conversation, from 1; absent when it was not known. Concurrent interactions share a number. */
  turn?: number | undefined;
}

/** A binary property holds at most 64 KiB, a text property 32 Ki UTF-16 units. */
const BINARY_CHUNK_BYTES = 64_000;
/** An entity holds at most 1 MiB, its keys and property names included. Azurite accepts more. */
const MAX_BYTES = 15 * BINARY_CHUNK_BYTES;
/** Longer interactions are compressed. Uncompressed text up to this length always fits into one property. */
const COMPRESS_ABOVE_CHARS = 4096;
const SHORTENED = '\n\n[The rest was too long to be kept.]';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Gives the properties of a row for an interaction, which is shortened if necessary. */
export async function toProperties(interaction: Interaction): Promise<Properties> {
  const { question, answer, shortened, stopped, turn } = interaction;
  const flag = {
    ...(shortened && { shortened }),
    ...(stopped && { stopped }),
    ...(turn !== undefined && { n: String(turn) }),
  };
  if (question.length + answer.length <= COMPRESS_ABOVE_CHARS) return { h0: question, a0: answer, ...flag };
  const packed = await deflate(JSON.stringify([question, answer]), { level: 1 });
  if (packed.length > MAX_BYTES) {
    return toProperties({ ...interaction, ...shorten(question, answer, MAX_BYTES / packed.length) });
  }
  const properties: Properties = { ...flag };
  for (let part = 0; part * BINARY_CHUNK_BYTES < packed.length; part++) {
    const start = part * BINARY_CHUNK_BYTES;
    properties[`z${part}`] = new Uint8Array(packed.subarray(start, start + BINARY_CHUNK_BYTES));
  }
  return properties;
}

/** Reads an interaction from the properties of a row; null when the row has none. */
export async function toInteraction(properties: Properties): Promise<Interaction | null> {
  const flag = {
    ...(properties['shortened'] === true && { shortened: true as const }),
    ...(properties['stopped'] === true && { stopped: true as const }),
    ...(typeof properties['n'] === 'string' && { turn: Number(properties['n']) }),
  };
  if ('h0' in properties) {
    return { question: String(properties['h0']), answer: String(properties['a0']), ...flag };
  }
  const parts: Uint8Array[] = [];
  for (let part = 0; `z${part}` in properties; part++) parts.push(properties[`z${part}`] as Uint8Array);
  if (parts.length === 0) return null;
  const [question, answer] = JSON.parse((await inflate(Buffer.concat(parts))).toString()) as [string, string];
  return { question, answer, ...flag };
}

/** The properties of an interaction among those of its row, which a store may have added to. */
export const interactionProperties = (properties: Properties): Properties =>
  Object.fromEntries(
    Object.entries(properties).filter(([name]) => /^(?:h0|a0|z\d+|n|shortened|stopped)$/.test(name)),
  );

/** Cuts off the end of the longer text, so that about `share` (0 to 1) of both texts remains. */
function shorten(question: string, answer: string, share: number): Interaction {
  const surplus = Math.ceil((question.length + answer.length) * (1 - share)) + SHORTENED.length;
  const cut = (text: string): string => {
    const kept = text.endsWith(SHORTENED) ? text.slice(0, -SHORTENED.length) : text;
    // Never leave half of a surrogate pair.
    return kept.slice(0, Math.max(0, kept.length - surplus)).replace(/[\ud800-\udbff]$/, '') + SHORTENED;
  };
  return answer.length >= question.length
    ? { question, answer: cut(answer), shortened: true }
    : { question: cut(question), answer, shortened: true };
}

/** Gives an interaction as the two messages of the API's `chat_history`. */
export const toMessages = ({ question, answer, shortened, stopped }: Interaction): ChatMessage[] => [
  { role: 'human', content: question, ...(shortened && { shortened }) },
  { role: 'ai', content: answer, ...(shortened && { shortened }), ...(stopped && { stopped }) },
];
