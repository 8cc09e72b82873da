/** The request header `Cache-Control`: RFC 9111, 5.2.1. */

/** How a request may use the cache. */
export interface CacheControl {
  /** Do not read from the cache, but store the model's answer. */
  noCache: boolean;
  /** Neither read from the cache nor store the answer. */
  noStore: boolean;
  /** Maximum age of a cached answer, in milliseconds. */
  maxAgeMs: number;
  /** Answer from the cache or not at all. */
  onlyIfCached: boolean;
}

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
