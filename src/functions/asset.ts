import { httpFunction } from '../lib/app/function-app.ts';

httpFunction(
  'asset',
  { route: 'assets/{name}', authLevel: 'anonymous', methods: ['GET', 'HEAD'] },
  async (request) => {
    const { handleAsset } = await import('../lib/http/page-handler.ts');
    return handleAsset(request);
  },
);
