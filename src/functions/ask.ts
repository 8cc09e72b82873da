import { readAuthLevel } from '../lib/config.ts';
import { httpFunction, loadServices } from '../lib/function-app.ts';

httpFunction('ask', { route: 'ask', authLevel: readAuthLevel() }, async (request, invocation) => {
  const [services, { handleAsk }] = await Promise.all([loadServices(), import('../lib/ask-handler.ts')]);
  return handleAsk(services, request, invocation);
});
