import { readAuthLevel } from '../lib/config.ts';
import { httpFunction, loadServices } from '../lib/function-app.ts';

httpFunction('sessions', { route: 'sessions', authLevel: readAuthLevel() }, async (request, invocation) => {
  const [services, { handleSessions }] = await Promise.all([
    loadServices(),
    import('../lib/sessions-handler.ts'),
  ]);
  return handleSessions(services, request, invocation);
});
