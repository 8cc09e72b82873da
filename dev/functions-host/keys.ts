/** Function keys and the master key, as the Functions host checks them. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Binding } from './core.ts';

/** Creates a random key. */
export function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Returns a function that checks a request's key against an authorization level. Keys are compared in constant time.
 */
export function createKeyCheck(enabled: boolean, functionKey: string, masterKey: string) {
  const [functionDigest, masterDigest] = [digest(functionKey), digest(masterKey)];
  return (level: Binding['authLevel'], request: IncomingMessage): boolean => {
    if (!enabled || level === 'anonymous') return true;
    const query = new URLSearchParams(request.url?.split('?')[1]);
    const given = digest(String(request.headers['x-functions-key'] ?? query.get('code') ?? ''));
    return (
      timingSafeEqual(given, masterDigest) || (level !== 'admin' && timingSafeEqual(given, functionDigest))
    );
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
