/** The OpenAPI 3.1 document of this API, made of the schemas and of the errors themselves. */
import * as z from 'zod/mini';
import { askFields, MAX_SESSION_ID_CHARS } from './ask-fields.ts';
import { schemas } from './contract.ts';
import { type AskError, errorBody, errors } from './errors.ts';
import { answerExample, sessionExample, sessionListExample } from './openapi-examples.ts';

/** Of the contract, by semver.org; a client that knows 1.0 works with every 1.x. */
const API_VERSION = '1.0.0';

schemas.add(askFields, { id: 'Question', description: 'A question. Fields that are not named are ignored.' });

type Json = Record<string, unknown>;

/** A JSON object: openapis.org/v3.1.1 */
export function openApiDocument(): Json {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Azure Functions Ask',
      version: API_VERSION,
      summary: 'Questions answered by Azure OpenAI, with chat history, a cache and measured answers.',
      description:
        'Times are in seconds. New fields may appear in any answer; the named ones stay. An error has the right status, a `status` that says what to do, and an `error.code` for programs.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'Where this document came from.' }],
    security: [{ functionKey: [] }, { functionKeyInQuery: [] }],
    tags: [
      { name: 'questions', description: 'Asking.' },
      { name: 'sessions', description: 'Chat histories.' },
      { name: 'operation', description: 'For those who run it.' },
    ],
    paths: {
      '/': { get: getPage, head: headPage },
      '/ask': { post: postAsk },
      '/sessions': { get: getSessions },
      '/sessions/{session_id}': { parameters: [sessionIdParameter], get: getSession, delete: deleteSession },
      '/cache': { delete: deleteCache },
      '/health': { get: getHealth },
      '/health/ready': { get: getReady },
      '/openapi.json': { get: getOpenApi },
    },
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key', description: KEY },
        functionKeyInQuery: { type: 'apiKey', in: 'query', name: 'code', description: KEY },
      },
      headers,
    },
  };
}

const KEY =
  'A function key, or the admin key for `DELETE /cache`. None is asked for with HTTP_AUTH_LEVEL=anonymous.';

function namedSchemas(): Json {
  const found = z.toJSONSchema(schemas, {
    // Clients must not take a field that is new for a fault.
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override({ jsonSchema }) {
      // JavaScript's integers, which say nothing to others.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return { ...(JSON.parse(JSON.stringify(found.schemas, withoutNames)) as Json), StreamEvent: streamEvent };
}

/** A schema's name and dialect are told by where it stands in the document. */
const withoutNames = (key: string, value: unknown): unknown =>
  key === '$schema' || key === '$id' ? undefined : value;

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

const streamEvent = {
  description:
    'The data of an event. A stream ends with `done` or `error`; comments in between mean nothing.',
  anyOf: ['SessionEvent', 'TokenEvent', 'Answer', 'Error'].map(ref),
};

const header = (description: string, type: 'string' | 'integer', more: Json = {}): Json => ({
  description,
  schema: { type, ...more },
});

const headers = {
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

const withHeaders = (...names: (keyof typeof headers)[]): Json => ({
  headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
});

const json = (description: string, schema: Json, example?: unknown): Json => ({
  description,
  content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
});

/** What every function may answer. */
const always = [errors.internal(), errors.stopping()];
const needsServices = [...always, errors.misconfigured()];

/** The responses for `possible` errors, by their statuses. */
function failures(allow: string, possible: AskError[]): Json {
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
  return {
    description: [...new Set(possible.map(({ message }) => message))].join(' Or: '),
    ...withHeaders(...names),
    content: { 'application/json': { schema: ref('Error'), examples: Object.fromEntries(named) as Json } },
  };
}

const noKey = { description: 'The key is missing or wrong. The body is empty.' };

const getPage = {
  operationId: 'getPage',
  summary: 'The chat page',
  tags: ['questions'],
  security: [],
  responses: {
    200: {
      description: 'One file of HTML.',
      ...withHeaders('ETag'),
      content: { 'text/html': { schema: { type: 'string' } } },
    },
    304: { description: 'The browser has it already.', ...withHeaders('ETag') },
    ...failures('GET, HEAD', always),
  },
};

const headPage = {
  ...getPage,
  operationId: 'headPage',
  summary: 'Whether there is a chat page',
  responses: {
    ...getPage.responses,
    200: { description: 'There is.', ...withHeaders('ETag') },
    304: { description: 'The caller has it already.', ...withHeaders('ETag') },
  },
};

const postAsk = {
  operationId: 'ask',
  summary: 'Answer a question',
  tags: ['questions'],
  parameters: [
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        'Names this question within its session, so that sending it again does not ask it twice. Needs `session_id`. Kept for 24 hours.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
    {
      name: 'Cache-Control',
      in: 'header',
      description:
        'How the cache may take part (RFC 9111): `no-cache`, `no-store`, `max-age=N`, `only-if-cached`.',
      schema: { type: 'string' },
    },
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: ref('Question'),
        examples: {
          alone: { value: { question: 'What is the capital of France?' } },
          conversation: { value: { question: 'What about Spain?', session_id: 'tour' } },
          stream: {
            value: { question: 'Tell me of Rome.', session_id: 'tour', new_conversation: true, stream: true },
          },
        },
      },
    },
  },
  responses: {
    200: {
      description: 'The answer, whole or as a stream.',
      ...withHeaders('X-Request-Id', 'X-Cache', 'Age', 'Server-Timing', 'Idempotency-Replayed'),
      content: {
        'application/json': { schema: ref('Answer'), example: answerExample },
        'text/event-stream': {
          schema: {
            description:
              'Events `session`, `token` for each piece of text, and `done` with the whole answer or, when it failed after it had begun, `error`. The data of each is JSON.',
            type: 'string',
            contentMediaType: 'text/event-stream',
            contentSchema: ref('StreamEvent'),
          },
        },
      },
    },
    401: noKey,
    ...failures('POST', [
      ...needsServices,
      errors.invalidJson('The body is not valid JSON.'),
      errors.invalidField('question', 'is missing'),
      errors.invalidHeader('Idempotency-Key', 'needs the field "session_id" beside it'),
      errors.idempotencyConflict(),
      errors.idempotencyForgotten(),
      errors.unsupportedMediaType(),
      errors.bodyTooLarge(208_384),
      errors.questionTooLong(32_000),
      errors.conversationTooLong(),
      errors.contentFiltered(),
      errors.modelRateLimited(2000),
      errors.modelUnavailable(undefined, 2000),
      errors.modelMisconfigured(),
      errors.circuitOpen(8000),
      errors.busy(),
      errors.historyNotReset(),
      errors.claimUnavailable(),
      errors.timeout(100),
      errors.notCached(),
    ]),
  },
};

const before = {
  name: 'before',
  in: 'query',
  description: 'A position that `next` of another page named.',
  schema: { type: 'string' },
};

const sessionIdParameter = {
  name: 'session_id',
  in: 'path',
  required: true,
  schema: { type: 'string', minLength: 1, maxLength: MAX_SESSION_ID_CHARS },
};

const getSessions = {
  operationId: 'listSessions',
  summary: 'List the sessions of the user who is signed in',
  tags: ['sessions'],
  parameters: [before],
  responses: {
    200: json('A page of sessions.', ref('SessionList'), sessionListExample),
    ...failures('GET', [
      ...needsServices,
      errors.notSignedIn(),
      errors.invalidPosition(),
      errors.storageUnavailable(),
    ]),
  },
};

const invalidSession = errors.invalidField('session_id', 'must not be "." or ".."');

const getSession = {
  operationId: 'readSession',
  summary: 'Read a session',
  tags: ['sessions'],
  parameters: [before],
  responses: {
    200: json('A page of its chat history.', ref('Session'), sessionExample),
    401: noKey,
    ...failures('GET, DELETE', [
      ...needsServices,
      invalidSession,
      errors.invalidPosition(),
      errors.sessionNotFound(),
      errors.storageUnavailable(),
    ]),
  },
};

const deleteSession = {
  operationId: 'deleteSession',
  summary: 'Forget a session',
  tags: ['sessions'],
  responses: {
    204: { description: 'It is forgotten, or there was none.' },
    401: noKey,
    ...failures('GET, DELETE', [...needsServices, invalidSession, errors.sessionNotDeleted()]),
  },
};

const deleteCache = {
  operationId: 'clearCache',
  summary: 'Forget the cached answers of this instance and of Redis',
  tags: ['operation'],
  responses: {
    200: json('They are forgotten.', ref('CacheCleared'), {
      status: 'The cached answers of this instance are forgotten.',
      cleared: ['memory', 'sqlite'],
    }),
    401: noKey,
    ...failures('DELETE', [...needsServices, errors.cacheNotCleared('redis')]),
  },
};

const getHealth = {
  operationId: 'getHealth',
  summary: 'Whether the process lives',
  tags: ['operation'],
  security: [],
  responses: { 200: json('It does.', ref('Health'), { status: 'ok' }), ...failures('GET', always) },
};

const checks = { configuration: 'ok', storage: 'ok', model: 'unknown' };

const getReady = {
  operationId: 'getReadiness',
  summary: 'Whether this instance can answer questions, and what it did so far',
  tags: ['operation'],
  responses: {
    200: json('It can.', ref('Ready')),
    401: noKey,
    ...failures('GET', always),
    503: json(
      'It cannot, or it is stopping.',
      { anyOf: [ref('NotReady'), ref('Error')] },
      {
        ...errorBody(errors.notReady('configuration')),
        checks: { ...checks, configuration: 'failing', storage: 'unknown' },
        totals: null,
      },
    ),
  },
};

const getOpenApi = {
  operationId: 'getOpenApi',
  summary: 'This document',
  tags: ['operation'],
  security: [],
  responses: {
    200: json('An OpenAPI 3.1 document.', { type: 'object' }),
    ...failures('GET', always),
  },
};
