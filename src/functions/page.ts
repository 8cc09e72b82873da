import { httpFunction } from '../lib/app/function-app.ts';

// The Functions host takes an empty route for the function's name; this one matches the path "/" and nothing else.
const route = '{ignored:maxlength(0)?}';

httpFunction('page', { route, authLevel: 'anonymous', methods: ['GET', 'HEAD'] }, async (request) => {
  const { handlePage } = await import('../lib/http/page-handler.ts');
  return handlePage(request);
});
