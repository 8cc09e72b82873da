import { httpFunction } from '../lib/app/function-app.ts';

httpFunction('openapi', { route: 'openapi.json', authLevel: 'anonymous', methods: ['GET'] }, async () => {
  const { handleOpenApi } = await import('../lib/http/openapi-handler.ts');
  return handleOpenApi();
});
