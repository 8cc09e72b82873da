/** OpenAPI: the operations of the OpenAI API. Its shapes are specified elsewhere: github.com/openai/openai-openapi. */
import { type AskError, errors } from '../errors.ts';
import { openAiErrorBody } from '../openai-error.ts';
import { modelErrors } from './ask-paths.ts';
import { errorResponses, type Json, json, ref, serviceErrors, withHeaders } from './components.ts';

const object = (description: string): Json => ({
  description: `${description} As OpenAI's API has it: github.com/openai/openai-openapi.`,
  type: 'object',
});

/** The schemas of responses, by their names here. */
export const openAiSchemas = {
  ChatCompletion: object('An answer. `x_performance_metrics` has our measurements, if asked for.'),
  ChatCompletionChunk: object('A part of a streamed answer.'),
  Response: object('An answer. `x_performance_metrics` has our measurements, if asked for.'),
  ResponseEvent: object('An event of a streamed answer.'),
  Model: object('A model.'),
  ModelList: object('The models that `model` may name.'),
  OpenAiError: object('An error.'),
};

const shape = { toBody: openAiErrorBody, schema: 'OpenAiError' };
const failures = (allow: string, possible: AskError[]): Json => {
  return errorResponses(
    allow,
    [...serviceErrors, errors.callerUnknown(), errors.userUnknown(), errors.openAiApiOff(), ...possible],
    shape,
  );
};

const headerOf = (name: string, description: string): Json => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
});

/** The headers that both operations read. */
const questionHeaders = [
  headerOf('Cache-Control', 'How the answer cache may be used, as for `/ask`.'),
  headerOf('Idempotency-Key', 'As for `/ask`; only for a question in a session.'),
  headerOf('X-Performance-Metrics', 'Any value: the body has the measurements of the answer.'),
];

/** Errors of an operation that answers. */
const answerErrors = [
  errors.invalidJson('The body is not valid JSON.', 'completion'),
  errors.invalidField('temperature', 'must be a number from 0 to 2'),
  errors.unsupportedParameter('tools'),
  errors.parameterRefused('temperature'),
  errors.parameterForbidden('temperature'),
  errors.modelNotFound(),
  errors.idempotencyConflict(),
  errors.idempotencyForgotten(),
  errors.unsupportedMediaType('completion'),
  errors.requestTimeout(100),
  errors.bodyTooLarge(1_008_384, 'completion'),
  ...modelErrors,
  errors.claimUnavailable(),
  errors.timeout(100),
  errors.notCached(),
];

const headers = withHeaders(
  'X-Request-Id',
  'X-Cache',
  'Age',
  'Idempotency-Replayed',
  'X-Budget-Remaining',
  'X-RateLimit-Remaining-Requests',
  'X-RateLimit-Remaining-Tokens',
);
const tags = ['openai'];

const postChatCompletions = {
  operationId: 'createChatCompletion',
  summary: 'Answer messages, for clients of OpenAI',
  tags,
  parameters: [
    headerOf(
      'X-Session-Id',
      'The last message is a question in this session, whose history is sent to the model.',
    ),
    ...questionHeaders,
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: ref('ChatCompletionRequest'),
        example: {
          model: 'default',
          messages: [{ role: 'user', content: 'What is the capital of France?' }],
        },
      },
    },
  },
  responses: {
    200: {
      description: 'The answer, as JSON or as a stream.',
      ...headers,
      content: {
        'application/json': { schema: ref('ChatCompletion') },
        'text/event-stream': {
          schema: {
            description: 'Chunks, then the text `[DONE]`; or after a failure an error.',
            type: 'string',
            contentMediaType: 'text/event-stream',
            contentSchema: { anyOf: [ref('ChatCompletionChunk'), ref('OpenAiError')] },
          },
        },
      },
    },
    ...failures('POST', [
      ...answerErrors,
      errors.messagesTooLong(),
      errors.questionTooLong(32_000, 'messages'),
    ]),
  },
};

const postResponses = {
  operationId: 'createResponse',
  summary: 'Answer a question or messages, for clients of OpenAI',
  tags,
  parameters: questionHeaders,
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: ref('ResponseRequest'),
        example: { model: 'default', input: 'What is the capital of France?', conversation: 'tour' },
      },
    },
  },
  responses: {
    200: {
      description: 'The answer, as JSON or as a stream.',
      ...headers,
      content: {
        'application/json': { schema: ref('Response') },
        'text/event-stream': {
          schema: {
            description: 'The events of an answer; after a failure the event `error`.',
            type: 'string',
            contentMediaType: 'text/event-stream',
            contentSchema: ref('ResponseEvent'),
          },
        },
      },
    },
    ...failures('POST', [
      ...answerErrors,
      errors.messagesTooLong(),
      errors.questionTooLong(32_000, 'input'),
      errors.previousResponseNotFound(),
      errors.referenceNotFound('input[1]'),
      errors.storageUnavailable(),
    ]),
  },
};

const getModels = {
  operationId: 'listModels',
  summary: 'List the models that the OpenAI API has here',
  tags,
  responses: { 200: json('The models.', ref('ModelList')), ...failures('GET', []) },
};

const getModel = {
  operationId: 'retrieveModel',
  summary: 'Describe a model',
  tags,
  parameters: [{ name: 'model', in: 'path', required: true, schema: { type: 'string' } }],
  responses: { 200: json('The model.', ref('Model')), ...failures('GET', [errors.modelNotFound()]) },
};

/** The operations by path. */
export const openAiPaths = {
  '/v1/chat/completions': { post: postChatCompletions },
  '/v1/responses': { post: postResponses },
  '/v1/models': { get: getModels },
  '/v1/models/{model}': { get: getModel },
};
