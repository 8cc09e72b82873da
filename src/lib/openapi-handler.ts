/** GET /openapi.json. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { errors } from './errors.ts';
import { openApiDocument } from './openapi.ts';

let body: string | undefined;

/** Answers with the document, which is made once. */
export function handleOpenApi(request: HttpRequest): HttpResponseInit {
  if (request.method !== 'GET') throw errors.methodNotAllowed('GET');
  body ??= JSON.stringify(openApiDocument());
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' };
  return { status: 200, headers, body };
}
