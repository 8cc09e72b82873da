import { httpFunction, loadServices } from '../lib/function-app.ts';

httpFunction('cache', { route: 'cache', authLevel: 'admin' }, async (request) => {
  const [services, { handleCache }] = await Promise.all([loadServices(), import('../lib/cache-handler.ts')]);
  return handleCache(services, request);
});
