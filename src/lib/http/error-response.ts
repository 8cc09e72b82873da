/** How every HTTP function answers an error. */
import type { HttpResponseInit } from '@azure/functions';
import { type AskError, errorBody } from '../contract/errors.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { json } from './json-response.ts';

/** Gives the answer for an error; `sessionId` when the session is known already. */
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

/** The answer to a caller who has left, which only a log of requests sees: ASP.NET's "client closed request". */
export const NO_CALLER: HttpResponseInit = { status: 499 };
