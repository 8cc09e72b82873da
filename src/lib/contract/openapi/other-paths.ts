/** OpenAPI: the operations of the cache, the health checks, the document itself and the page. */
import { errorBody, errors } from '../errors.ts';
import {
  commonErrors,
  errorResponses,
  json,
  type Json,
  missingKey,
  ref,
  serviceErrors,
  withHeaders,
} from './components.ts';

const deleteCache = {
  operationId: 'clearCache',
  summary: 'Delete the cached answers of this instance, or of all instances that share a Redis',
  tags: ['operation'],
  responses: {
    200: json('The cached answers are deleted.', ref('CacheCleared'), {
      status: 'The cached answers of this instance are deleted.',
      cleared: ['memory', 'sqlite'],
    }),
    401: missingKey,
    403: { description: 'The key is a function key; the admin key is needed. The body is empty.' },
    ...errorResponses('DELETE', [...serviceErrors, errors.cacheNotCleared('redis')]),
  },
};

const getHealth = {
  operationId: 'getHealth',
  summary: 'Whether the process is running',
  tags: ['operation'],
  security: [],
  responses: {
    200: json('The process is running.', ref('Health'), { status: 'ok' }),
    ...errorResponses('GET', commonErrors),
  },
};

const checks = { configuration: 'ok', storage: 'ok', model: 'unknown' };

const getReady = {
  operationId: 'getReadiness',
  summary: 'Whether this instance can answer questions, with totals since its start',
  tags: ['operation'],
  responses: {
    200: json('This instance can answer questions.', ref('Ready')),
    401: missingKey,
    ...errorResponses('GET', commonErrors),
    503: json(
      'This instance cannot answer questions, or it is shutting down.',
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
    ...errorResponses('GET', commonErrors),
  },
};

/** The operations by path. */
export const otherPaths = {
  '/cache': { delete: deleteCache },
  '/health': { get: getHealth },
  '/health/ready': { get: getReady },
  '/openapi.json': { get: getOpenApi },
};

const fileHeaders = withHeaders('ETag', 'Vary', 'Content-Encoding', 'Server-Timing');

/** The operations GET and HEAD of a file. */
function fileOperations(name: string, type: string, summary: string, notFound: Json): Json {
  const others = { 304: { description: "The caller's copy is current.", ...fileHeaders }, ...notFound };
  const shared = { tags: ['questions'], security: [] };
  return {
    get: {
      operationId: `get${name}`,
      summary,
      ...shared,
      responses: {
        200: {
          description: 'The file.',
          ...fileHeaders,
          content: { [type]: { schema: { type: 'string' } } },
        },
        ...others,
      },
    },
    head: {
      operationId: `head${name}`,
      summary: `${summary}: the headers`,
      ...shared,
      responses: { 200: { description: 'The file exists.', ...fileHeaders }, ...others },
    },
  };
}

const pageErrors = [...commonErrors, errors.notAcceptable()];

const nameParameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'The name of the file. It contains a hash of the content.',
  schema: { type: 'string' },
};

/** The operations by path. */
export const pagePaths = {
  '/': fileOperations('Page', 'text/html', 'The chat page', errorResponses('GET, HEAD', pageErrors)),
  '/assets/{name}': {
    parameters: [nameParameter],
    ...fileOperations(
      'Asset',
      'text/javascript',
      'A part of the chat page that is loaded late',
      errorResponses('GET, HEAD', [...pageErrors, errors.assetNotFound()]),
    ),
  },
};
