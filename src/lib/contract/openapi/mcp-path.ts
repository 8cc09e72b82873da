/** OpenAPI: the endpoint of the Model Context Protocol. The protocol itself is specified elsewhere. */
import { type AskError, errorBody, errors } from '../errors.ts';
import { errorResponses, type Json, ref, withHeaders } from './components.ts';

const object = { type: 'object' };

/** The schema `JsonRpcMessage`. */
export const jsonRpcMessage = {
  description: 'A request, a notification or a response of the protocol: jsonrpc.org/specification.',
  type: 'object',
  properties: {
    jsonrpc: { const: '2.0' },
    id: { type: ['string', 'number', 'null'] },
    method: { type: 'string' },
    params: object,
    result: object,
    error: {
      type: 'object',
      properties: { code: { type: 'integer' }, message: { type: 'string' }, data: {} },
      required: ['code', 'message'],
    },
  },
  required: ['jsonrpc'],
};

const message = ref('JsonRpcMessage');
const content = { 'application/json': { schema: message } };

const refusal = (description: string): Json => ({ description, ...withHeaders('X-Request-Id'), content });

/** The refusal of an HTTP request, with the error as of HTTP in `data`. */
const refusalBy = (error: AskError): Json => {
  const { status: text, error: data } = errorBody(error);
  const value = { jsonrpc: '2.0', id: null, error: { code: -32_000, message: text, data } };
  const examples = { [error.code]: { value } };
  return { ...refusal(text), content: { 'application/json': { schema: message, examples } } };
};

const call = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'ask', arguments: { question: 'What is the capital of France?' } },
};

/** The errors that the app gives before it reads a message have the shape of all its errors. */
const early = errorResponses('POST, OPTIONS', [errors.internal(), errors.stopping(), errors.misconfigured()]);
const either = { 'application/json': { schema: { anyOf: [ref('Error'), message] } } };

const postMcp = {
  operationId: 'mcp',
  summary: 'Model Context Protocol over streamable HTTP, for agents',
  description:
    'Tools to ask, and to read and delete sessions. Specification: modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http.',
  tags: ['agents'],
  requestBody: {
    required: true,
    content: {
      'application/json': { schema: { anyOf: [message, { type: 'array', items: message }] }, example: call },
    },
  },
  responses: {
    200: {
      description: 'The response, as JSON or as the last event of a stream.',
      ...withHeaders('X-Request-Id'),
      content: {
        'application/json': { schema: message },
        'text/event-stream': {
          schema: { type: 'string', contentMediaType: 'text/event-stream', contentSchema: message },
        },
      },
    },
    202: { description: 'The notification was received.', ...withHeaders('X-Request-Id') },
    ...early,
    400: refusal('The body is not a valid message, or its headers do not fit to it.'),
    401: {
      ...refusal(
        `The key is missing or invalid. The body is empty. Or: ${errors.callerUnknown().message} Or: the sign-in does not identify the user.`,
      ),
      ...withHeaders('X-Request-Id', 'WWW-Authenticate'),
    },
    403: refusalBy(errors.originNotAllowed()),
    404: refusal('There is no such method.'),
    406: refusal('The header "Accept" must list application/json and text/event-stream.'),
    408: refusalBy(errors.requestTimeout(100)),
    413: refusalBy(errors.bodyTooLarge(208_384, 'message')),
    415: refusalBy(errors.unsupportedMediaType('message')),
    500: {
      description: 'An unexpected error, or wrong settings.',
      ...withHeaders('X-Request-Id'),
      content: either,
    },
    503: { ...(early['503'] as Json), content: either },
  },
};

const optionsMcp = {
  operationId: 'mcpPreflight',
  summary: 'Preflight request of a web page',
  description: 'Browsers send it before a page of another origin calls the endpoint.',
  tags: ['agents'],
  responses: {
    204: { description: 'The page may call the endpoint.' },
    ...early,
    401: { description: 'The key is missing, which a preflight request cannot have.' },
    403: refusalBy(errors.originNotAllowed()),
  },
};

/** The operations by path. */
export const mcpPath = { '/mcp': { post: postMcp, options: optionsMcp } };
