import { httpFunction } from '../lib/function-app.ts';
import { handleHealth } from '../lib/health-handler.ts';

httpFunction('health', { route: 'health', authLevel: 'anonymous' }, handleHealth);
