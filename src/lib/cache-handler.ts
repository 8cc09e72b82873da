/** DELETE /cache: forgetting the cached answers of this instance and of Redis. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { CacheCleared } from './contract.ts';
import { errors } from './errors.ts';
import type { Services } from './services.ts';

/** Empties the cache and says what was emptied. @throws AskError when a tier could not be. */
export async function handleCache(services: Services, request: HttpRequest): Promise<HttpResponseInit> {
  if (request.method !== 'DELETE') throw errors.methodNotAllowed('DELETE');
  const { cache } = services;
  const failed = (await cache?.clear()) ?? [];
  if (failed.length > 0) throw errors.cacheNotCleared(failed.join(' and '));
  return {
    status: 200,
    headers: { 'Cache-Control': 'no-store' },
    jsonBody: {
      status:
        'The cached answers of this instance, and of Redis if there is one, are forgotten. Other instances keep ' +
        'their own until they expire; change CACHE_VERSION to forget those too.',
      cleared: [...(cache?.tiers ?? [])],
    } satisfies CacheCleared,
  };
}
