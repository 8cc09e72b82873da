import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';
import type { handleAsk } from '../lib/http/ask-handler.ts';

let handler: Promise<typeof handleAsk> | undefined;

httpFunction(
  'ask',
  { route: 'ask', authLevel: readAuthLevel(), methods: ['POST'] },
  async (request, invocation) => {
    // Importing a loaded module again still takes as long as checking a question.
    handler ??= import('../lib/http/ask-handler.ts').then((module) => module.handleAsk);
    const [services, handle] = await Promise.all([loadServices(), handler]);
    return handle(services, request, invocation);
  },
);
