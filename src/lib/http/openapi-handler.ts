/** GET /openapi.json. */
import type { HttpResponseInit } from '@azure/functions';
import { openApiDocument } from '../contract/openapi/document.ts';

let body: string | undefined;

/** Responds with the OpenAPI document, which is generated once. */
export function handleOpenApi(): HttpResponseInit {
  body ??= JSON.stringify(openApiDocument());
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' };
  return { status: 200, headers, body };
}
