import { httpFunction, loadServices } from '../lib/app/function-app.ts';
import { readAuthLevel } from '../lib/config/config.ts';
import { handleReady } from '../lib/http/health-handler.ts';

httpFunction(
  'health-ready',
  { route: 'health/ready', authLevel: readAuthLevel(), methods: ['GET'] },
  async () =>
    // Wrong settings are an answer here.
    handleReady(await loadServices().catch(() => null)),
);
