/** OpenAPI: the erasure and the export of a user. */
import { errors } from '../errors.ts';
import type { UserErasure } from '../user-data.ts';
import {
  errorResponses,
  json,
  type Json,
  missingKey,
  ref,
  serviceErrors,
  withHeaders,
} from './components.ts';

const erased: UserErasure = {
  status: 'Everything that was kept of the user is deleted.',
  state: 'erased',
  started_at: '2026-11-30T09:00:00.000Z',
  cached_answers: 'deleted',
};
const erasing: UserErasure = {
  ...erased,
  status: 'The deletion goes on. Send the request again for its end.',
  state: 'erasing',
};

const exported = {
  description: 'All that is kept of the user, one JSON object in each line. The last one has the type `end`.',
  ...withHeaders('X-Request-Id'),
  content: {
    'application/x-ndjson': {
      schema: {
        type: 'string',
        contentMediaType: 'application/x-ndjson',
        contentSchema: ref('UserRecord'),
      },
    },
  },
};

const forbidden = { description: 'The key is a function key; the admin key is needed. The body is empty.' };

/** The operations of a user. `id` begins with a capital letter; `byOperator` are the responses to a missing admin key. */
function operations(id: string, ofWhom: string, refused: ReturnType<typeof errors.userNotKnown>[]) {
  const byOperator: Json = refused.length > 0 ? {} : { 401: missingKey, 403: forbidden };
  const failures = [...serviceErrors, ...refused];
  const invalidName = refused.length > 0 ? [] : [errors.invalidField('name', 'must name a user')];
  return {
    erase: {
      operationId: `erase${id}`,
      summary: `Delete everything that is kept of ${ofWhom}`,
      tags: ['users'],
      responses: {
        200: json('Everything is deleted.', ref('UserErasure'), erased),
        202: {
          ...json('The deletion goes on.', ref('UserErasure'), erasing),
          ...withHeaders('Retry-After'),
        },
        ...byOperator,
        ...errorResponses('DELETE', [...failures, ...invalidName, errors.erasureIncomplete()]),
      },
    },
    export: {
      operationId: `export${id}`,
      summary: `Export everything that is kept of ${ofWhom}`,
      tags: ['users'],
      responses: {
        200: exported,
        ...byOperator,
        ...errorResponses('GET', [...failures, ...invalidName, errors.storageUnavailable()]),
      },
    },
  };
}

const parameters = [
  {
    name: 'name',
    in: 'path',
    required: true,
    description: 'The name of a caller; with `provider`, the id of a user who signs in.',
    schema: { type: 'string', minLength: 1 },
  },
  {
    name: 'provider',
    in: 'query',
    description: 'The identity provider, such as `aad`, as App Service names it.',
    schema: { type: 'string' },
  },
];

const own = operations('Me', 'the user', [
  errors.userNotKnown(),
  errors.userUnknown(),
  errors.callerUnknown(),
]);
const others = operations('User', 'a user', []);

/** The operations by path. */
export const userPaths = {
  '/users/me': { delete: own.erase },
  '/users/me/export': { get: own.export },
  '/users/{name}': { parameters, delete: others.erase },
  '/users/{name}/export': { parameters, get: others.export },
};
