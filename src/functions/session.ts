import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';

const route = 'sessions/{session_id}';

httpFunction(
  'session',
  { route, authLevel: readAuthLevel(), methods: ['GET', 'DELETE'] },
  async (request, invocation) => {
    const [services, { handleSession }] = await Promise.all([
      loadServices(),
      import('../lib/http/sessions-handler.ts'),
    ]);
    return handleSession(services, request, invocation);
  },
);
