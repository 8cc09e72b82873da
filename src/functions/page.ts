import { httpFunction } from '../lib/function-app.ts';

// The Functions host takes an empty route for the function's name; this one matches the path "/" and nothing else.
httpFunction('page', { route: '{ignored:maxlength(0)?}', authLevel: 'anonymous' }, async (request) => {
  const { handlePage } = await import('../lib/page-handler.ts');
  return handlePage(request);
});
