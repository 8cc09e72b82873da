/** The request header `Cache-Control`: RFC 9111, 5.2.1. */

import type { CacheControl } from '../ask/question.ts';

/** Parses the header `Cache-Control`. Unknown directives are ignored, as RFC 9111 requires. */
export function readCacheControl(header: string | null): CacheControl {
  const directives = new Map<string, string>();
  for (const directive of header?.split(',') ?? []) {
    const [name = '', value = ''] = directive.split('=', 2);
    directives.set(name.trim().toLowerCase(), value.trim().replaceAll('"', ''));
  }
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    maxAgeMs: directives.has('max-age') ? seconds(directives.get('max-age') ?? '') : Infinity,
    onlyIfCached: directives.has('only-if-cached'),
  };
}

/** An invalid age counts as 0: RFC 9111, 4.2.1. */
const seconds = (text: string): number => (/^\d+$/.test(text) ? 1000 * Number(text) : 0);
