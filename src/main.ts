/** Entry point of the Functions worker: one module, because every file that is opened slows a cold start down. */
import './functions/ask.ts';
import './functions/asset.ts';
import './functions/cache.ts';
import './functions/health.ts';
import './functions/health-ready.ts';
import './functions/mcp.ts';
import './functions/openapi.ts';
import './functions/page.ts';
import './functions/purge-sessions.ts';
import './functions/session.ts';
import './functions/sessions.ts';
