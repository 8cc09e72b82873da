/** OpenAPI: the operation of `/ask`. */
import { MAX_KEY_CHARS } from '../ask-fields.ts';
import { errors } from '../errors.ts';
import { answerExample, errorResponses, lastEventId, ref, serviceErrors, withHeaders } from './components.ts';

/** In the examples of errors. */
const RENEWS_AT = Date.UTC(2026, 11, 1);

/** Errors of a model call. */
export const modelErrors = [
  errors.conversationTooLong(),
  errors.contentFiltered(),
  errors.outputLimitReached(),
  errors.modelRateLimited(2000),
  errors.modelUnavailable(undefined, 2000),
  errors.modelMisconfigured(),
  errors.circuitOpen(8000),
  errors.busy(),
  errors.budgetExceeded('caller_day', RENEWS_AT, RENEWS_AT - 3_600_000),
  errors.rateLimited(20, RENEWS_AT, RENEWS_AT - 30_000),
  errors.budgetUnavailable(),
];

/** Errors of a question that was accepted. */
export const answerErrors = [
  ...modelErrors,
  errors.historyNotReset(),
  errors.answerNotStored(),
  errors.timeout(100),
  errors.notCached(),
];

const postAsk = {
  operationId: 'ask',
  summary: 'Answer a question',
  tags: ['questions'],
  parameters: [
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        'Names this question within its session, so that a retry does not call the model twice and the answer has the address `/sessions/{session_id}/answers/{key}`. Requires `session_id`. ASCII, without `%2F` and `%5C`, and not `.` or `..`. Kept for 24 hours.',
      schema: { type: 'string', minLength: 1, maxLength: MAX_KEY_CHARS },
    },
    lastEventId,
    {
      name: 'Cache-Control',
      in: 'header',
      description:
        'How the answer cache may be used (RFC 9111): `no-cache`, `no-store`, `max-age=N`, `only-if-cached`; and `stale-if-error=N` (RFC 5861).',
      schema: { type: 'string' },
    },
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: ref('Question'),
        examples: {
          question: { value: { question: 'What is the capital of France?' } },
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
      description: 'The answer, as JSON or as a stream.',
      ...withHeaders(
        'X-Request-Id',
        'X-Cache',
        'Age',
        'Server-Timing',
        'Idempotency-Replayed',
        'X-Budget-Remaining',
      ),
      content: {
        'application/json': { schema: ref('Answer'), example: answerExample },
        'text/event-stream': {
          schema: {
            description:
              'The event `session`, an event `token` for each piece of text, and at the end `done` with the complete answer, or `error` after a failure. The data of each event is JSON.',
            type: 'string',
            contentMediaType: 'text/event-stream',
            contentSchema: ref('StreamEvent'),
          },
        },
      },
    },
    ...errorResponses('POST', [
      ...serviceErrors,
      errors.callerUnknown(),
      errors.userUnknown(),
      errors.invalidJson('The body is not valid JSON.', 'question'),
      errors.invalidField('question', 'is missing'),
      errors.invalidHeader('Idempotency-Key', 'requires the field "session_id"'),
      errors.invalidHeader('Last-Event-ID', 'must be the id of an event'),
      errors.idempotencyConflict(),
      errors.idempotencyForgotten(),
      errors.interactionGone(),
      errors.storageUnavailable(),
      errors.unsupportedMediaType('question'),
      errors.requestTimeout(100),
      errors.bodyTooLarge(208_384, 'question'),
      errors.questionTooLong(32_000),
      errors.claimUnavailable(),
      ...answerErrors,
    ]),
  },
};

/** The operations by path. */
export const askPaths = {
  '/ask': { post: postAsk },
};
