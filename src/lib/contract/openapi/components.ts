/** What the descriptions of all operations are made of: headers, bodies, and the errors themselves. */
import { type AskError, errorBody, errors } from '../errors.ts';

/** A piece of the document. */
export type Json = Record<string, unknown>;

/** Names a schema of the document. */
export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

const header = (description: string, type: 'string' | 'integer', more: Json = {}): Json => ({
  description,
  schema: { type, ...more },
});

/** Those that answers may have. */
export const headers = {
  'X-Request-Id': header('Id of the invocation, as in the log.', 'string'),
  'X-Cache': header('How the cache took part.', 'string', { enum: ['HIT', 'MISS', 'COALESCED', 'BYPASS'] }),
  Age: header('Of a cached answer, in seconds.', 'integer', { minimum: 0 }),
  'Server-Timing': header('What took how long, in milliseconds, for the tools of a browser.', 'string'),
  'Idempotency-Replayed': header('It is the stored answer to the same question.', 'string', {
    const: 'true',
  }),
  'Retry-After': header('Seconds after which it is worth trying again.', 'integer', { minimum: 0 }),
  Allow: header('The methods of this address.', 'string'),
  ETag: header('Of this version.', 'string'),
};

/** The headers of a response, by name. */
export const withHeaders = (...names: (keyof typeof headers)[]): Json => ({
  headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
});

/** A response with a body. */
export const json = (description: string, schema: Json, example?: unknown): Json => ({
  description,
  content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
});

/** What every function may answer. */
export const always = [errors.internal(), errors.stopping()];

/** What each may answer that needs the settings. */
export const needsServices = [...always, errors.misconfigured()];

/** The responses for `possible` errors, by their statuses. */
export function failures(allow: string, possible: AskError[]): Json {
  const byStatus = Object.groupBy([errors.methodNotAllowed(allow), ...possible], ({ status }) => status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, some = []]) => [status, failure(some)] as const),
  );
}

function failure(possible: AskError[]): Json {
  const examples = Object.groupBy(possible, ({ code }) => code);
  const named = Object.entries(examples).flatMap(([code, some]) =>
    some.map((error, index) => [index === 0 ? code : `${code}-${index + 1}`, { value: errorBody(error) }]),
  );
  const names: (keyof typeof headers)[] = ['X-Request-Id'];
  if (possible.some((error) => error.headers['Allow'])) names.push('Allow');
  if (possible.some(({ retryAfter }) => retryAfter !== undefined)) names.push('Retry-After');
  // The Functions host may have refused the request before.
  const ofHost = possible.some(({ status }) => status === 401) ? [noKey.description] : [];
  return {
    description: [...new Set([...ofHost, ...possible.map(({ message }) => message)])].join(' Or: '),
    ...withHeaders(...names),
    content: { 'application/json': { schema: ref('Error'), examples: Object.fromEntries(named) as Json } },
  };
}

/** Of the Functions host. */
export const noKey = { description: 'The key is missing or wrong. The body is empty.' };
