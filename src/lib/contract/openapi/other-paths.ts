/** Sessions, the cache and what else concerns those who run the app: operations of the OpenAPI document. */
import { MAX_SESSION_ID_CHARS } from '../ask-fields.ts';
import { errorBody, errors } from '../errors.ts';
import { sessionExample, sessionListExample } from './examples.ts';
import { always, failures, json, needsServices, noKey, ref } from './components.ts';

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
      errors.userUnknown(),
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
    ...failures('GET, DELETE', [
      ...needsServices,
      errors.userUnknown(),
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
    ...failures('GET, DELETE', [
      ...needsServices,
      errors.userUnknown(),
      invalidSession,
      errors.sessionNotDeleted(),
    ]),
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

/** By path. */
export const servicePaths = {
  '/sessions': { get: getSessions },
  '/sessions/{session_id}': { parameters: [sessionIdParameter], get: getSession, delete: deleteSession },
  '/cache': { delete: deleteCache },
  '/health': { get: getHealth },
  '/health/ready': { get: getReady },
  '/openapi.json': { get: getOpenApi },
};
