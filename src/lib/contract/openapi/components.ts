/** OpenAPI: headers, response bodies and error responses that the operations share. */
import { type AskError, errorBody, errors } from '../errors.ts';
import type { Answer, ChatMessage, Session, SessionList } from '../responses.ts';

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
    enum: ['HIT', 'MISS', 'COALESCED', 'STALE', 'BYPASS'],
  }),
  Age: header('Age of the cached answer in seconds.', 'integer', { minimum: 0 }),
  'Server-Timing': header(
    'Durations in milliseconds, shown by the developer tools of browsers. Of the chat page: `signed-in` for a signed-in user, `caller-keys` where callers have keys.',
    'string',
  ),
  'Idempotency-Replayed': header(
    'Present when this is the stored answer to an earlier request with the same key.',
    'string',
    {
      const: 'true',
    },
  ),
  'X-RateLimit-Remaining-Requests': header(
    'Requests that the model takes until its limit, as its last response told.',
    'integer',
    { minimum: 0 },
  ),
  'X-RateLimit-Remaining-Tokens': header(
    'Tokens that the model takes until its limit, as its last response told.',
    'integer',
    { minimum: 0 },
  ),
  'X-Budget-Remaining': header(
    'What is left of each budget, such as `caller_day=0.42, app_month=17.5`: the values of `remaining` in `budget` of the measurements.',
    'string',
  ),
  'Retry-After': header('Seconds to wait before a retry.', 'integer', { minimum: 0 }),
  'X-Should-Retry': header('`false` when a retry would meet the same error.', 'string'),
  Allow: header('The allowed methods.', 'string'),
  'WWW-Authenticate': header('That a key is needed, or where users sign in: RFC 9728.', 'string'),
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

/** How errors are written, and the name of the schema. */
interface ErrorShape {
  toBody: (error: AskError) => object;
  schema: string;
}

const OWN_SHAPE: ErrorShape = { toBody: errorBody, schema: 'Error' };

/** The responses for `possible` errors and for methods other than `allow`, by HTTP status. */
export function errorResponses(allow: string, possible: AskError[], shape = OWN_SHAPE): Json {
  const byStatus = Object.groupBy([errors.methodNotAllowed(allow), ...possible], ({ status }) => status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, some = []]) => [status, errorResponse(some, shape)] as const),
  );
}

function errorResponse(possible: AskError[], { toBody, schema }: ErrorShape): Json {
  const byCode = Object.groupBy(possible, ({ code }) => code);
  const examples = Object.entries(byCode).flatMap(([code, some]) =>
    some.map((error, index) => [index === 0 ? code : `${code}-${index + 1}`, { value: toBody(error) }]),
  );
  const names: (keyof typeof headers)[] = ['X-Request-Id'];
  for (const name of ['Allow', 'WWW-Authenticate'] as const)
    if (possible.some((error) => error.headers[name])) names.push(name);
  if (schema !== OWN_SHAPE.schema) names.push('X-Should-Retry');
  if (possible.some(({ retryAfter }) => retryAfter !== undefined)) names.push('Retry-After');
  // The Functions host itself answers 401 when the key is missing.
  const hostDescription = possible.some(({ status }) => status === 401) ? [missingKey.description] : [];
  return {
    description: [...new Set([...hostDescription, ...possible.map(({ message }) => message)])].join(' Or: '),
    ...withHeaders(...names),
    content: { 'application/json': { schema: ref(schema), examples: Object.fromEntries(examples) as Json } },
  };
}

/** The response of the Functions host to a request without a valid key. */
export const missingKey = { description: 'The key is missing or invalid. The body is empty.' };

/** The request header with which a caller continues a stream. */
export const lastEventId = {
  name: 'Last-Event-ID',
  in: 'header',
  description:
    'Id of the last event that the caller has of the text of this answer. The stream continues after it, on every instance.',
  schema: { type: 'string', pattern: '^[0-9]{1,9}$' },
};

/** The position of an interaction. */
export const POSITION = '9999999999999-8204460399999-5f0b8c4e-6f0d-4c1b-9a55-0d2c3a6f1e77';

const chat: ChatMessage[] = [
  { role: 'human', content: 'What is the capital of France?' },
  { role: 'ai', content: 'The capital of France is Paris.' },
];

export const answerExample: Answer = {
  answer: 'The capital of France is Paris.',
  chat_history: chat,
  session_id: 'tour',
  position: POSITION,
  status: 'success',
  finish_reason: 'stop',
  performance_metrics: {
    api_call_time: 0.412,
    total_time: 0.431,
    from_cache: false,
    connection_reused: true,
    connection_stats: {
      avg_response_time: 0.398,
      connection_reuse_count: 4,
      reuse_percentage: 80,
      total_requests: 5,
    },
    cold_start: false,
    instance_id: '5f0b8c4e-6f0d-4c1b-9a55-0d2c3a6f1e77',
    invocation: '9f2c1f0e-3b7a-4f57-8a53-2f4f4d1f2a10',
    uptime: 61.2,
    cache: { result: 'miss', tier: null, reason: 'not_found', hits: 1, misses: 5, hit_percentage: 16.67 },
    connection: {
      protocol: 'h2',
      id: 1,
      requests_on_connection: 5,
      connect_time: 0.045,
      tls_resumed: false,
      time_to_first_byte: 0.402,
      attempts: 1,
      open: 1,
      endpoint: 0,
    },
    timings: {
      history_read: 0.006,
      cache_lookup: 0.001,
      model: 0.412,
      history_write: 0.008,
      time_to_first_token: 0.421,
    },
    model: 'gpt-4o-2024-11-20',
    tokens: { prompt: 31, completion: 8, cached: 0, cache_write: 0, reasoning: 0, saved: 0 },
    history_available: true,
    history_saved: true,
  },
};

export const sessionExample: Session = {
  session_id: 'tour',
  created_at: '2026-11-24T09:00:00.000Z',
  updated_at: '2026-11-24T09:00:00.000Z',
  interaction_count: 1,
  chat_history: chat.map((message) => ({ ...message, position: POSITION })),
  next: null,
};

export const sessionListExample: SessionList = {
  sessions: [
    {
      session_id: 'tour',
      title: 'What is the capital of France?',
      created_at: '2026-11-24T09:00:00.000Z',
      updated_at: '2026-11-24T09:00:00.000Z',
    },
  ],
  next: null,
};
