/** Entry point of the Functions worker: registers all functions. It is bundled into one file, because a cold start takes longer with each file. */
import './functions/ask.ts';
import './functions/cache.ts';
import './functions/health.ts';
import './functions/health-ready.ts';
import './functions/openapi.ts';
import './functions/page.ts';
import './functions/purge-sessions.ts';
import './functions/session.ts';
import './functions/sessions.ts';
