/** OpenAPI: headers, response bodies and error responses that the operations share. */
import { type AskError, errorBody, errors } from '../errors.ts';

/** A JSON object of the document. */
export type Json = Record<string, unknown>;

/** A reference to a named schema. */
export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

const header = (description: string, type: 'string' | 'integer', more: Json = {}): Json => ({
  description,
  schema: { type, ...more },
});

/** The response headers of the API. */
export const headers = {
  'X-Request-Id': header('Id of the invocation, as in the log.', 'string'),
  'X-Cache': header('How the answer cache was used.', 'string', {
    enum: ['HIT', 'MISS', 'COALESCED', 'BYPASS'],
  }),
  Age: header('Age of the cached answer in seconds.', 'integer', { minimum: 0 }),
  'Server-Timing': header(
    'Durations in milliseconds, shown by the developer tools of browsers. Of the chat page: `signed-in` for a signed-in user.',
    'string',
  ),
  'Idempotency-Replayed': header(
    'Present when this is the stored answer to an earlier request with the same key.',
    'string',
    {
      const: 'true',
    },
  ),
  'Retry-After': header('Seconds to wait before a retry.', 'integer', { minimum: 0 }),
  Allow: header('The allowed methods.', 'string'),
  ETag: header('Version of the file in this coding.', 'string'),
  Vary: header('The request headers that chose this form of the file.', 'string', {
    const: 'Accept-Encoding',
  }),
  'Content-Encoding': header('The coding, unless the file is not compressed.', 'string', {
    enum: ['br', 'gzip'],
  }),
};

/** References to response headers by name. */
export const withHeaders = (...names: (keyof typeof headers)[]): Json => ({
  headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
});

/** A response with a JSON body. */
export const json = (description: string, schema: Json, example?: unknown): Json => ({
  description,
  content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
});

/** Errors of every operation. */
export const commonErrors = [errors.internal(), errors.stopping()];

/** Errors of every operation that requires valid settings. */
export const serviceErrors = [...commonErrors, errors.misconfigured()];

/** The responses for `possible` errors and for methods other than `allow`, by HTTP status. */
export function errorResponses(allow: string, possible: AskError[]): Json {
  const byStatus = Object.groupBy([errors.methodNotAllowed(allow), ...possible], ({ status }) => status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, some = []]) => [status, errorResponse(some)] as const),
  );
}

function errorResponse(possible: AskError[]): Json {
  const byCode = Object.groupBy(possible, ({ code }) => code);
  const examples = Object.entries(byCode).flatMap(([code, some]) =>
    some.map((error, index) => [index === 0 ? code : `${code}-${index + 1}`, { value: errorBody(error) }]),
  );
  const names: (keyof typeof headers)[] = ['X-Request-Id'];
  if (possible.some((error) => error.headers['Allow'])) names.push('Allow');
  if (possible.some(({ retryAfter }) => retryAfter !== undefined)) names.push('Retry-After');
  // The Functions host itself answers 401 when the key is missing.
  const hostDescription = possible.some(({ status }) => status === 401) ? [missingKey.description] : [];
  return {
    description: [...new Set([...hostDescription, ...possible.map(({ message }) => message)])].join(' Or: '),
    ...withHeaders(...names),
    content: { 'application/json': { schema: ref('Error'), examples: Object.fromEntries(examples) as Json } },
  };
}

/** The response of the Functions host to a request without a valid key. */
export const missingKey = { description: 'The key is missing or invalid. The body is empty.' };
