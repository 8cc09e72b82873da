/**
 * What the addresses of sessions name. The Azure Functions host decodes a path except for "%2F" and "%5C", and encodes it
 * again: "/" arrives as "%252F". `func start` does the same, the other hosts do not. The ids of callers cannot contain
 * these texts themselves.
 */
import type { Config } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { SessionKey } from '../history/session-rows.ts';
import { checkKey, checkSessionId } from './ask-request.ts';
import type { RawRequest } from './raw-request.ts';
import { readUserId } from './user.ts';

/** The session of the caller in an address below `/sessions/`. @throws AskError when it cannot be one. */
export const readSession = (request: RawRequest, { users }: Pick<Config, 'users'>): SessionKey => ({
  userId: readUserId(request, users),
  sessionId: checkSessionId(segmentOf(request, /\/sessions\/([^/]*)/i, 'session_id')),
});

/** The key in an address below `/sessions/ID/answers/`. @throws AskError when it cannot be one. */
export const readKey = (request: RawRequest): string =>
  checkKey(segmentOf(request, /\/answers\/([^/]*)/i, 'key'), 'key');

/** The name in an address below `/users/`. @throws AskError when it cannot be one. */
export function readUserName(request: RawRequest): string {
  const name = segmentOf(request, /\/users\/([^/]*)/i, 'name');
  // `/users/me` is for users themselves.
  if (name === '' || name.toLowerCase() === 'me') throw errors.invalidField('name', 'must name a user');
  return name;
}

function segmentOf(request: RawRequest, at: RegExp, name: string): string {
  const encoded = at.exec(request.path)?.[1] ?? '';
  try {
    return decodeURIComponent(encoded).replaceAll(/%(?:2F|5C)/gi, decodeURIComponent);
  } catch {
    throw errors.invalidField(name, 'is not valid percent-encoding');
  }
}
