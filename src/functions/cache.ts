import { httpFunction, loadServices } from '../lib/app/function-app.ts';

httpFunction('cache', { route: 'cache', authLevel: 'admin', methods: ['DELETE'] }, async () => {
  const [services, { handleCache }] = await Promise.all([
    loadServices(),
    import('../lib/http/cache-handler.ts'),
  ]);
  return handleCache(services);
});
