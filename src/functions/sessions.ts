import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';

httpFunction(
  'sessions',
  { route: 'sessions', authLevel: readAuthLevel(), methods: ['GET'] },
  async (request, invocation) => {
    const [services, { handleSessions }] = await Promise.all([
      loadServices(),
      import('../lib/http/sessions-handler.ts'),
    ]);
    return handleSessions(services, request, invocation);
  },
);
