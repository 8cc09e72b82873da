/**
 * Which web pages may call the endpoint, and the headers of CORS. One rule: a page may call it when its origin is this
 * machine (any port), the app's own host name, or in MCP_ALLOWED_ORIGINS. It then gets the headers of CORS; any other page
 * gets a 403. On Azure, the CORS settings of the app come before the app: learn.microsoft.com/azure/app-service/app-service-web-tutorial-rest-api
 * says that the app's own headers then have no effect.
 */
import type { Reply } from '../http/response.ts';
import { localhostAllowedOrigins, validateOriginHeader } from '@modelcontextprotocol/server';
import { errors } from '../contract/errors.ts';
import type { RawRequest } from '../http/raw-request.ts';

/** What a page may read of a response beside its body. */
const EXPOSED = 'Mcp-Session-Id, X-Request-Id, Retry-After, WWW-Authenticate';

/** How long a browser may remember the answer to a preflight request: the longest that Chromium accepts. */
const PREFLIGHT_SECONDS = 7200;

/**
 * Gives the headers of CORS for the page that sent `request`; none when it was no page.
 * @throws AskError when a page of another origin sent it, which also prevents DNS rebinding.
 */
export function corsHeaders(request: RawRequest, allowedHosts: string[]): Record<string, string> {
  const origin = request.header('origin');
  if (!validateOriginHeader(origin, [...localhostAllowedOrigins(), ...allowedHosts]).ok) {
    throw errors.originNotAllowed();
  }
  if (origin === null) return {};
  return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED };
}

/** The response to a preflight request. Credentials of the browser are not allowed, so any header may be. */
export const preflightResponse = (request: RawRequest): Reply => ({
  status: 204,
  headers: {
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': request.header('access-control-request-headers') ?? 'Content-Type',
    'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
  },
});
