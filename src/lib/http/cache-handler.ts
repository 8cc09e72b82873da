/** DELETE /cache: clears the cached answers of this instance, or of all instances when they share a Redis. */
import type { HttpResponseInit } from '@azure/functions';
import type { AnswerCache } from '../cache/answer-cache.ts';
import { errors } from '../contract/errors.ts';
import type { CacheCleared } from '../contract/responses.ts';
import { json } from './response.ts';

/** What `/cache` needs. */
export interface CacheServices {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
}

/** Clears the cache, and responds with the names of its tiers. @throws AskError when a tier could not be cleared. */
export async function handleCache({ cache }: CacheServices): Promise<HttpResponseInit> {
  const failed = (await cache?.clear()) ?? [];
  if (failed.length > 0) throw errors.cacheNotCleared(failed.join(' and '));
  const cleared = [...(cache?.tiers ?? [])];
  const status = cleared.includes('redis')
    ? 'The cached answers of all instances were deleted. An instance without a connection to Redis deletes its own ' +
      'when it is connected again.'
    : 'The cached answers of this instance were deleted. Other instances keep their own until they expire. Change ' +
      'CACHE_VERSION to invalidate those too.';
  return json(200, { status, cleared } satisfies CacheCleared);
}
