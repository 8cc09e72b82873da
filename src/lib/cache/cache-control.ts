/** What a request says about cached answers, in the words of HTTP: RFC 9111, 5.2.1. */

/** How the cache may take part in one answer. */
export interface CacheControl {
  /** Ask the model, then keep its answer. */
  noCache: boolean;
  /** Neither look for an answer nor keep one. */
  noStore: boolean;
  /** Oldest answer that will do, in milliseconds. */
  maxAgeMs: number;
  /** A cached answer, or none. */
  onlyIfCached: boolean;
}

/** Reads the header `Cache-Control`; what it does not know is ignored, as HTTP wants it. */
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

/** An age that cannot be read allows none: RFC 9111, 4.2.1. */
const seconds = (text: string): number => (/^\d+$/.test(text) ? 1000 * Number(text) : 0);
