/** JSON responses, and the responses to errors, the same for every HTTP function. No HTTP cache may store them. */
import { type AskError, errorBody } from '../contract/errors.ts';
import type { Invocation } from '../common/log.ts';
import type { HttpResponseInit } from '@azure/functions';

/** Gives the response with this status and body. */
export const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): HttpResponseInit => ({ status, headers: { 'Cache-Control': 'no-store', ...headers }, jsonBody: body });

/** Gives the response to an error. `sessionId` is part of the body when it is known. */
export const errorResponse = (
  error: AskError,
  invocation: Invocation,
  sessionId?: string,
): HttpResponseInit =>
  json(error.status, errorBody(error, sessionId), {
    'X-Request-Id': invocation.id,
    ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
    ...error.headers,
  });

/** The response when the caller has disconnected, for request logs only. 499 is nginx's "client closed request". */
export const CLIENT_CLOSED_REQUEST: HttpResponseInit = { status: 499 };
