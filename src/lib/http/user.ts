/**
 * The user of a request, the same for every API: who has signed in, or the caller whose key it has. It is asked before
 * anything else is read of a request. Rejected: a user that the caller names, such as `user` of the OpenAI API, which
 * proves nothing; a check by the route, which would have to know the form of errors of each API.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { CallerKey, UsersConfig } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { RawRequest } from './raw-request.ts';
import { CALLER, readSignedInUser } from './signed-in-user.ts';

/**
 * Gives a unique id of the user; null when nobody is signed in, or the settings know no users.
 * @throws AskError (status 401) when callers need a key and this one has none that fits, or the sign-in names nobody.
 */
export function readUserId(request: RawRequest, users: UsersConfig): string | null {
  if (users.by === 'nobody') return null;
  return users.by === 'sign-in' ? readSignedInUser(request) : toUserId(findCaller(request, users.keys));
}

/** Gives the id of the user that a caller is. */
const toUserId = (name: string): string => JSON.stringify([CALLER, name]);

/** Gives the name of the caller that a user is, for the log; undefined for others, who may be persons. */
export function callerName(userId: string | null): string | undefined {
  if (userId === null) return undefined;
  const [kind, name] = JSON.parse(userId) as [string, string];
  return kind === CALLER ? name : undefined;
}

/** Gives the name of the caller. */
function findCaller(request: RawRequest, keys: readonly CallerKey[]): string {
  const key = keyOf(request);
  if (!key) throw errors.callerUnknown();
  const given = createHash('sha256').update(key).digest();
  // Compares all of them, each in constant time: how long it takes tells nothing about the keys.
  const [found] = keys.filter(({ digest }) => timingSafeEqual(digest, given));
  if (!found) throw errors.callerUnknown();
  return found.name;
}

/** The key that a request has: as clients of OpenAI send it, or as those of Azure OpenAI do. */
function keyOf(request: RawRequest): string | null {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(request.header('authorization') ?? '') ?? [];
  return bearer ?? request.header('api-key');
}
