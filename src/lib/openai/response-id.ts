/** The ids of responses: they name a session and an interaction in it, so that any instance can go on from there. */
import { createHash, randomUUID } from 'node:crypto';
import { errors } from '../contract/errors.ts';

/** `resp_`, a UUID without its dashes, and the id of the session in Base64url; nothing for an answer that is not stored. */
const ID = /^resp_([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})([\w-]*)$/;

/** An interaction in a session. */
export interface StoredResponse {
  sessionId: string;
  interactionId: string;
}

/** Gives the id of a response, stored or not. */
export const toResponseId = (interactionId: string, sessionId: string | undefined): string =>
  `resp_${interactionId.replaceAll('-', '')}${Buffer.from(sessionId ?? '').toString('base64url')}`;

/** Reads the id of a stored response. @throws AskError when it is none. */
export function readResponseId(id: string): StoredResponse {
  const [, ...parts] = ID.exec(id) ?? [];
  const sessionId = Buffer.from(parts.pop() ?? '', 'base64url').toString();
  if (sessionId === '') throw errors.previousResponseNotFound();
  return { sessionId, interactionId: parts.join('-') };
}

/** A new UUID; for a repeated question always the same one, so that its response has the same id. */
export function toInteractionId(idempotencyKey: string | undefined): string {
  if (idempotencyKey === undefined) return randomUUID();
  const digits = createHash('sha256').update(idempotencyKey).digest('hex');
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20, 32),
  ].join('-');
}
