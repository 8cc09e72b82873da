import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';
import { handleReady } from '../lib/http/health-handler.ts';

httpFunction(
  'health-ready',
  { route: 'health/ready', authLevel: readAuthLevel(), methods: ['GET'] },
  async () =>
    // Invalid settings are reported in the response instead of an error.
    handleReady(await loadServices().catch(() => null)),
);
