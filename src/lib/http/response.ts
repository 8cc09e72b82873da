/** The responses of HTTP functions, those in JSON, and those to errors. No HTTP cache may store the last two. */
import { type AskError, errorBody } from '../contract/errors.ts';
import type { Invocation } from '../common/log.ts';

/** A response. A body that is iterated is sent piece by piece. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** Gives the response with this status and body. */
export const json = (status: number, body: object, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** Gives the response to an error. `sessionId` is part of the body when it is known. */
export const errorResponse = (error: AskError, invocation: Invocation, sessionId?: string): Reply =>
  json(error.status, errorBody(error, sessionId), {
    'X-Request-Id': invocation.id,
    ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
    ...error.headers,
  });

/** The response when the caller has disconnected, for request logs only. 499 is nginx's "client closed request". */
export const CLIENT_CLOSED_REQUEST: Reply = { status: 499 };
