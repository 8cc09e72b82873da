import { readAuthLevel } from '../lib/config.ts';
import { httpFunction, loadServices } from '../lib/function-app.ts';
import { handleReady } from '../lib/health-handler.ts';

httpFunction('health-ready', { route: 'health/ready', authLevel: readAuthLevel() }, (request) =>
  handleReady(loadServices(), request),
);
