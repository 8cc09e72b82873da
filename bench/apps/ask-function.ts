import { app, type HttpHandler } from '@azure/functions';

/** Registers the function that all apps here have: `POST /ask`, without a key. */
export function askFunction(handler: HttpHandler): void {
  app.setup({ enableHttpStream: true });
  app.http('ask', { route: 'ask', methods: ['POST'], authLevel: 'anonymous', handler });
}
