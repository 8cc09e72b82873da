/** What the HTTP functions know of an invocation, and how each of them answers an error. */
import type { HttpResponseInit, InvocationContext } from '@azure/functions';
import { type AskError, errorBody } from './errors.ts';

/** One run of a function. */
export interface Invocation {
  id: string;
  /** `traceparent` of the host's trace, if there is one: w3.org/TR/trace-context */
  traceParent: string | undefined;
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  log: Pick<InvocationContext, 'info' | 'warn' | 'error'>;
}

/** Gives the answer for an error; `sessionId` when the session is known already. */
export function errorResponse(error: AskError, invocation: Invocation, sessionId?: string): HttpResponseInit {
  return {
    status: error.status,
    headers: {
      'Cache-Control': 'no-store',
      'X-Request-Id': invocation.id,
      ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
      ...error.headers,
    },
    jsonBody: errorBody(error, sessionId),
  };
}

/** The answer to a caller who has left, which only a log of requests sees: ASP.NET's "client closed request". */
export const NO_CALLER: HttpResponseInit = { status: 499 };
