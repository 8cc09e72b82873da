import { readAuthLevel } from '../lib/config.ts';
import { httpFunction, loadServices } from '../lib/function-app.ts';

httpFunction(
  'session',
  { route: 'sessions/{session_id}', authLevel: readAuthLevel() },
  async (request, invocation) => {
    const [services, { handleSession }] = await Promise.all([
      loadServices(),
      import('../lib/sessions-handler.ts'),
    ]);
    return handleSession(services, request, invocation);
  },
);
