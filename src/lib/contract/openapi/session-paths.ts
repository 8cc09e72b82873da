/** OpenAPI: the operations of sessions and of the answers in them. */
import { MAX_KEY_CHARS, MAX_SESSION_ID_CHARS } from '../ask-fields.ts';
import { errorBody, errors } from '../errors.ts';
import type { AddressedAnswerBody } from '../answer-events.ts';
import { answerErrors } from './ask-paths.ts';
import {
  answerExample,
  errorResponses,
  json,
  ref,
  serviceErrors,
  sessionExample,
  sessionListExample,
  lastEventId,
  POSITION,
  withHeaders,
} from './components.ts';

const before = {
  name: 'before',
  in: 'query',
  description: 'Position of the page, taken from `next` of another page.',
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
  summary: 'List the sessions of the signed-in user',
  tags: ['sessions'],
  parameters: [before],
  responses: {
    200: json('A page of sessions.', ref('SessionList'), sessionListExample),
    ...errorResponses('GET', [
      ...serviceErrors,
      errors.notSignedIn(),
      errors.callerUnknown(),
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
    200: json('The session and a page of its chat history.', ref('Session'), sessionExample),
    ...errorResponses('GET, DELETE', [
      ...serviceErrors,
      errors.callerUnknown(),
      errors.userUnknown(),
      invalidSession,
      errors.invalidPosition(),
      errors.sessionNotFound(),
      errors.storageUnavailable(),
    ]),
  },
};

const copySession = {
  operationId: 'copySession',
  summary: 'Copy a session, or the beginning of it',
  tags: ['sessions'],
  requestBody: {
    required: true,
    content: { 'application/json': { schema: ref('CopyRequest'), example: { before: POSITION } } },
  },
  responses: {
    201: json('The copy is complete.', ref('SessionCopy'), {
      session_id: '0b9c8a5e-3c1d-4c52-8f7e-6a1f2b3c4d5e',
    }),
    ...errorResponses('POST', [
      ...serviceErrors,
      errors.callerUnknown(),
      errors.userUnknown(),
      invalidSession,
      errors.invalidField('before', 'must be the position of an interaction'),
      errors.invalidJson('The body is not valid JSON.', 'request'),
      errors.unsupportedMediaType('request'),
      errors.requestTimeout(100),
      errors.bodyTooLarge(4096, 'request'),
      errors.sessionNotFound(),
      errors.sessionNotCopied(),
    ]),
  },
};

const deleteSession = {
  operationId: 'deleteSession',
  summary: 'Delete a session',
  tags: ['sessions'],
  responses: {
    204: { description: 'The session is deleted, or there was no such session.' },
    ...errorResponses('GET, DELETE', [
      ...serviceErrors,
      errors.callerUnknown(),
      errors.userUnknown(),
      invalidSession,
      errors.sessionNotDeleted(),
    ]),
  },
};

const keyParameter = {
  name: 'key',
  in: 'path',
  required: true,
  description: 'The `Idempotency-Key` of the question.',
  schema: { type: 'string', minLength: 1, maxLength: MAX_KEY_CHARS },
};

const addressed = { session_id: 'tour', key: 'k1', question: 'What is the capital of France?' };
const times = { started_at: sessionExample.updated_at };
const answered: AddressedAnswerBody = {
  ...addressed,
  ...times,
  state: 'answered',
  answer: answerExample.answer,
  position: POSITION,
};
const examples: Record<string, { value: AddressedAnswerBody }> = {
  answering: { value: { ...addressed, ...times, state: 'answering' } },
  answered: { value: answered },
  stopped: { value: { ...answered, state: 'stopped', answer: 'The capital of' } },
  failed: {
    value: {
      ...addressed,
      ...times,
      state: 'failed',
      ...errorBody(errors.interrupted()),
      session_id: 'tour',
    },
  },
};
const state = { 'application/json': { schema: ref('AddressedAnswer'), examples } };

const addressErrors = [
  ...serviceErrors,
  errors.callerUnknown(),
  errors.userUnknown(),
  invalidSession,
  errors.invalidField('key', 'must not be "." or ".."'),
  errors.answerUnavailable(),
];

const getAnswer = {
  operationId: 'readAnswer',
  summary: 'Read or follow the answer to a question with an Idempotency-Key',
  tags: ['questions'],
  parameters: [lastEventId],
  responses: {
    200: {
      description: 'The state of the answer, as JSON or as a stream of its text.',
      ...withHeaders('X-Request-Id'),
      content: {
        ...state,
        'text/event-stream': {
          schema: {
            description:
              'The event `session`, an event `token` for each piece of text, and at the end `done` with the state of the answer, or `error` after a failure. The data of each event is JSON.',
            type: 'string',
            contentMediaType: 'text/event-stream',
            contentSchema: ref('AddressedStreamEvent'),
          },
        },
      },
    },
    ...errorResponses('GET, DELETE', [
      ...addressErrors,
      errors.invalidHeader('Last-Event-ID', 'must be the id of an event'),
      errors.answerNotFound(),
      errors.interrupted(),
      // A stream of an answer that has failed.
      ...answerErrors,
    ]),
  },
};

const deleteAnswer = {
  operationId: 'stopAnswer',
  summary: 'Stop the answer to a question with an Idempotency-Key',
  tags: ['questions'],
  responses: {
    200: { description: 'The answer has ended, or the stop is remembered for its question.', content: state },
    202: { description: 'The answer will be stopped.', content: state },
    ...errorResponses('GET, DELETE', [...addressErrors, errors.answerNotFound()]),
  },
};

/** The operations by path. */
export const sessionPaths = {
  '/sessions': { get: getSessions },
  '/sessions/{session_id}': { parameters: [sessionIdParameter], get: getSession, delete: deleteSession },
  '/sessions/{session_id}/copy': { parameters: [sessionIdParameter], post: copySession },
  '/sessions/{session_id}/answers/{key}': {
    parameters: [sessionIdParameter, keyParameter],
    get: getAnswer,
    delete: deleteAnswer,
  },
};
