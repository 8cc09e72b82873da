/** What the Functions worker loads: every function. One file, since a cold start pays for each that it opens. */
import './functions/ask.ts';
import './functions/cache.ts';
import './functions/health.ts';
import './functions/health-ready.ts';
import './functions/openapi.ts';
import './functions/page.ts';
import './functions/purge-sessions.ts';
import './functions/session.ts';
import './functions/sessions.ts';
