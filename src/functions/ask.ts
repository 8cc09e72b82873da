import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';

httpFunction(
  'ask',
  { route: 'ask', authLevel: readAuthLevel(), methods: ['POST'] },
  async (request, invocation) => {
    const [services, { handleAsk }] = await Promise.all([
      loadServices(),
      import('../lib/http/ask-handler.ts'),
    ]);
    return handleAsk(services, request, invocation);
  },
);
