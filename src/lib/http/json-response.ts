/** Answers of JSON, which no cache on the way may keep. */
import type { HttpResponseInit } from '@azure/functions';

/** Gives the answer with this status and body. */
export const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): HttpResponseInit => ({ status, headers: { 'Cache-Control': 'no-store', ...headers }, jsonBody: body });
