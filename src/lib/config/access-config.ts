/** The settings of access: the keys of the Functions host, the sign-in of App Service, and the keys of callers. */
import { createHash } from 'node:crypto';
import { type Environment, SettingsReader } from './settings-reader.ts';

/** `function` requires a function key; `anonymous` does not, for example behind App Service sign-in. */
export type AuthLevel = 'function' | 'anonymous';

/** A key of a caller. A caller who replaces a key has two of them. */
export interface CallerKey {
  name: string;
  /** The SHA-256 of the key. */
  digest: Buffer;
}

/**
 * Who names the users: nobody; App Service authentication, whose headers callers cannot forge then; or the app itself, by
 * the keys of its callers.
 */
export type UsersConfig = { by: 'nobody' } | { by: 'sign-in' } | { by: 'keys'; keys: readonly CallerKey[] };

/**
 * Reads only `HTTP_AUTH_LEVEL`, because routes are registered before all settings are validated. Any value except
 * `anonymous` requires a function key.
 */
export function readAuthLevel(env: Environment = process.env): AuthLevel {
  return authLevelOf(new SettingsReader(env));
}

/**
 * Who names the users. It reads only the settings that say so, because the page is served even if other settings are
 * invalid.
 */
export function readUsersBy(env: Environment = process.env): UsersConfig['by'] {
  const settings = new SettingsReader(env);
  if (settings.text(CALLER_KEYS) !== undefined) return 'keys';
  return trustsUserHeaders(settings) ? 'sign-in' : 'nobody';
}

/** Reads and validates all settings of access, also those that are read one by one. */
export function readUsers(settings: SettingsReader): UsersConfig {
  const level = authLevelOf(settings);
  const isSignIn = trustsUserHeaders(settings);
  if (settings.text(CALLER_KEYS) === undefined) return { by: isSignIn ? 'sign-in' : 'nobody' };
  if (level !== 'anonymous')
    settings.problems.push(
      `${CALLER_KEYS} needs HTTP_AUTH_LEVEL=anonymous: the Functions host checks its own keys before the app sees a request.`,
    );
  if (isSignIn)
    settings.problems.push(
      `${CALLER_KEYS} and App Service sign-in exclude each other: remove ${CALLER_KEYS}, or turn off WEBSITE_AUTH_ENABLED and TRUST_USER_HEADERS.`,
    );
  return { by: 'keys', keys: readCallerKeys(settings) };
}

const authLevelOf = (settings: SettingsReader): AuthLevel =>
  settings.oneOf('HTTP_AUTH_LEVEL', ['function', 'anonymous']) ?? 'function';

/** The platform sets the first setting, but not in every plan. The template sets the second one, with the sign-in only. */
function trustsUserHeaders(settings: SettingsReader): boolean {
  const byPlatform = settings.text('WEBSITE_AUTH_ENABLED')?.toLowerCase() === 'true';
  const byTemplate = settings.oneOf('TRUST_USER_HEADERS', ['true', 'false']) === 'true';
  return byPlatform || byTemplate;
}

const CALLER_KEYS = 'CALLER_KEYS';

/** Names are parts of addresses, where `.` and `..` have a meaning of their own, and `me` stands for who asks. */
const NAME = /^(?!(?:me|\.{1,2})$)[A-Za-z0-9._-]{1,64}$/;
const DIGEST = /^[0-9a-f]{64}$/i;

/** Whether a caller may have this name. */
export const isCallerName = (name: string): boolean => NAME.test(name);

/** What a name may be, for messages. */
export const CALLER_NAME_RULE = '1 to 64 letters, digits, ".", "_" or "-", and not "me"';

/** Reads the keys. A problem names the place of an entry: what was entered may be a key. */
function readCallerKeys(settings: SettingsReader): CallerKey[] {
  const refuse = (rule: string): void => void settings.problems.push(`${CALLER_KEYS} ${rule}`);
  const entries = settings.list(CALLER_KEYS);
  if (entries.length === 0) refuse('has no entry: write NAME=SHA256HEX, or remove the setting.');
  // What a shell makes of a variable that is not set.
  const digestOfNothing = createHash('sha256').digest();
  const keys = entries.flatMap((entry, index) => {
    const [name = '', hex = '', ...more] = entry.split('=').map((part) => part.trim());
    const digest = Buffer.from(hex, 'hex');
    if (!isCallerName(name))
      refuse(`has an invalid name in entry ${index + 1}: it must be ${CALLER_NAME_RULE}.`);
    else if (!DIGEST.test(hex) || more.length > 0)
      refuse(
        `must have the SHA-256 of a key as 64 hexadecimal digits in entry ${index + 1}: make one with "npm run caller-key -- NAME".`,
      );
    else if (digest.equals(digestOfNothing)) refuse(`has the SHA-256 of an empty key in entry ${index + 1}.`);
    else return { name, digest };
    return [];
  });
  if (keys.some((key) => keys.some((other) => other.name !== key.name && other.digest.equals(key.digest))))
    refuse('has the same key for two names: each caller needs its own.');
  return keys;
}
