/** The responses to errors, the same for every HTTP function. */
import type { HttpResponseInit } from '@azure/functions';
import { type AskError, errorBody } from '../contract/errors.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { json } from './json-response.ts';

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
