import { httpFunction } from '../lib/app/function-app.ts';
import { readTrustsUserHeaders } from '../lib/config/config.ts';

// The Functions host replaces an empty route with the name of the function. This route matches only the path "/".
const route = '{ignored:maxlength(0)?}';

httpFunction('page', { route, authLevel: 'anonymous', methods: ['GET', 'HEAD'] }, async (request) => {
  const { handlePage } = await import('../lib/http/page-handler.ts');
  return handlePage(request, readTrustsUserHeaders());
});
