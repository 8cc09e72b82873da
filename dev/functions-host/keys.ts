/** Function keys and the master key, as the Functions host checks them. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Binding } from './core.ts';

/** Creates a random key. */
export function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Returns a function that checks a request's key against an authorization level, and gives the status of a refusal: 403 for
 * a function key where the master key is needed. Keys are compared in constant time.
 */
export function createKeyCheck(enabled: boolean, functionKey: string, masterKey: string) {
  const [functionDigest, masterDigest] = [digest(functionKey), digest(masterKey)];
  return (level: Binding['authLevel'], request: IncomingMessage): 401 | 403 | null => {
    if (!enabled || level === 'anonymous') return null;
    const query = new URLSearchParams(request.url?.split('?')[1]);
    const given = digest(String(request.headers['x-functions-key'] ?? query.get('code') ?? ''));
    if (timingSafeEqual(given, masterDigest)) return null;
    if (!timingSafeEqual(given, functionDigest)) return 401;
    return level === 'admin' ? 403 : null;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
