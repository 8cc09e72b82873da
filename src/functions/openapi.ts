import { httpFunction } from '../lib/function-app.ts';

httpFunction('openapi', { route: 'openapi.json', authLevel: 'anonymous' }, async (request) => {
  const { handleOpenApi } = await import('../lib/openapi-handler.ts');
  return handleOpenApi(request);
});
