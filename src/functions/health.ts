import { httpFunction } from '../lib/app/function-app.ts';
import { handleHealth } from '../lib/http/health-handler.ts';

httpFunction('health', { route: 'health', authLevel: 'anonymous', methods: ['GET'] }, handleHealth);
