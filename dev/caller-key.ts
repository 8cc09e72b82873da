/** `npm run caller-key`: makes a key for a caller, and its entry for the setting `CALLER_KEYS`. */
import { createHash } from 'node:crypto';
import { CALLER_NAME_RULE, isCallerName } from '../src/lib/config/access-config.ts';
import { randomKey } from './functions-host/keys.ts';

/** The help text. */
export const help = `npm run caller-key -- NAME

Makes a random key for the caller NAME (${CALLER_NAME_RULE}), and prints it with its entry for the setting
CALLER_KEYS, which has only a digest of it. Entries are separated by commas. To replace a key, add the new entry beside the old one,
which has the same name; give the caller the new key, then remove the old entry.`;

/** Prints the key and the entry. Sets the exit code to 2 when the name is invalid. */
export function main([name = '', ...others]: string[]): void {
  if (!isCallerName(name) || others.length > 0) {
    console.error(`Give one name: ${CALLER_NAME_RULE}. "npm run caller-key -- --help" explains it.`);
    process.exitCode = 2;
    return;
  }
  const key = randomKey();
  const digest = createHash('sha256').update(key).digest('hex');
  console.log(`Key, for the caller only: ${key}\nEntry of CALLER_KEYS:     ${name}=${digest}`);
}
