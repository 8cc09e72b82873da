/** Asking, and the page that does: operations of the OpenAPI document. */
import { errors } from '../errors.ts';
import { answerExample } from './examples.ts';
import { always, failures, needsServices, ref, withHeaders } from './components.ts';

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
    ...failures('POST', [
      ...needsServices,
      errors.userUnknown(),
      errors.invalidJson('The body is not valid JSON.'),
      errors.invalidField('question', 'is missing'),
      errors.invalidHeader('Idempotency-Key', 'needs the field "session_id" beside it'),
      errors.idempotencyConflict(),
      errors.idempotencyForgotten(),
      errors.unsupportedMediaType(),
      errors.requestTimeout(100),
      errors.bodyTooLarge(208_384),
      errors.questionTooLong(32_000),
      errors.conversationTooLong(),
      errors.contentFiltered(),
      errors.outputLimitReached(),
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

/** By path. */
export const askingPaths = {
  '/': { get: getPage, head: headPage },
  '/ask': { post: postAsk },
};
