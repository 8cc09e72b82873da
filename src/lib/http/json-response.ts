/** JSON responses, which no HTTP cache may store. */
import type { HttpResponseInit } from '@azure/functions';

/** Gives the response with this status and body. */
export const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): HttpResponseInit => ({ status, headers: { 'Cache-Control': 'no-store', ...headers }, jsonBody: body });
