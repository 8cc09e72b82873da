/** All errors of the API: code, HTTP status, a message that tells the caller what to do, and advice for the operator. */
import { accessErrors } from './access-errors.ts';
import { AskError, connectionAdvice, REFUSAL_ADVICE } from './ask-error.ts';
import { budgetErrors } from './budget-errors.ts';
import type { ErrorBody } from './responses.ts';
import { sessionErrors } from './session-errors.ts';

export { AskError } from './ask-error.ts';

/** What a request body holds, and an example of it. */
const BODIES = {
  completion:
    '{"model": "default", "messages": [{"role": "user", "content": "What is the capital of France?"}]}',
  question: '{"question": "What is the capital of France?"}',
  request: '{}',
  message: '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}',
};

/** What a request body holds: a question, fields of another request, or a message of MCP or of the OpenAI API. */
export type BodyContent = keyof typeof BODIES;

/** The table of errors. Each function creates a new {@link AskError}. */
export const errors = {
  ...accessErrors,
  ...sessionErrors,
  ...budgetErrors,
  /** `allow` is the value of the header `Allow`, such as `GET, DELETE`. */
  methodNotAllowed: (allow: string) =>
    new AskError(405, 'method_not_allowed', `Only ${allow.replaceAll(', ', ' or ')} is allowed here.`, {
      headers: { Allow: allow },
    }),
  notAcceptable: () =>
    new AskError(406, 'not_acceptable', 'The header "Accept-Encoding" must allow br, gzip or identity.'),
  assetNotFound: () =>
    new AskError(404, 'asset_not_found', 'This version of the chat page has no such file. Reload the page.'),
  unsupportedMediaType: (content: BodyContent) =>
    new AskError(
      415,
      'unsupported_media_type',
      `Send the ${content} as JSON, with the header "Content-Type: application/json".`,
    ),
  requestTimeout: (seconds: number) =>
    new AskError(
      408,
      'request_timeout',
      `The request body did not arrive within ${seconds} seconds. Send the request again.`,
      { limit: seconds },
    ),
  bodyTooLarge: (maxBytes: number, content: BodyContent) =>
    new AskError(
      413,
      'body_too_large',
      `The body is larger than ${maxBytes} bytes. Send a shorter ${content}.`,
      { limit: maxBytes },
    ),
  invalidJson: (reason: string, content: BodyContent) =>
    new AskError(400, 'invalid_json', `${reason} Send JSON such as ${BODIES[content]}.`),
  invalidField: (field: string, rule: string) =>
    new AskError(400, 'invalid_request', `The field "${field}" ${rule}.`, { param: field }),
  invalidHeader: (name: string, rule: string) =>
    new AskError(400, 'invalid_request', `The header "${name}" ${rule}.`),
  invalidPosition: () =>
    new AskError(
      400,
      'invalid_request',
      'The parameter "before" is not a valid position. Use the address in "next" of another page.',
    ),
  unsupportedParameter: (name: string) =>
    new AskError(
      400,
      'unsupported_parameter',
      `The field "${name}", or its value, is not supported here. Leave it out.`,
      { param: name },
    ),
  parameterRefused: (name: string, cause?: unknown) =>
    new AskError(
      400,
      'unsupported_parameter',
      `The model refuses the field "${name}" or its value. Change it, or leave it out.`,
      { param: name, cause },
    ),
  parameterForbidden: (name: string) =>
    new AskError(
      400,
      'unsupported_parameter',
      `The operator of this service does not allow the field "${name}". Leave it out.`,
      { param: name },
    ),
  referenceNotFound: (name: string) =>
    new AskError(
      400,
      'invalid_request',
      `The field "${name}" refers to an answer of another conversation than the messages around it. Send "store": false, or texts in place of references.`,
      { param: name },
    ),
  modelNotFound: () =>
    new AskError(404, 'model_not_found', 'There is no such model here. Use one of GET /v1/models.', {
      param: 'model',
    }),
  openAiApiOff: () =>
    new AskError(
      404,
      'openai_api_off',
      'The operator of this service has turned its OpenAI API off. Use POST /ask.',
    ),
  questionTooLong: (maxChars: number, field = 'question') =>
    new AskError(
      413,
      'question_too_long',
      field === 'question'
        ? `The field "question" is longer than ${maxChars} characters. Shorten it.`
        : `The question in the field "${field}" is longer than ${maxChars} characters. Shorten it.`,
      { limit: maxChars, param: field },
    ),
  conversationTooLong: (cause?: unknown) =>
    new AskError(
      413,
      'conversation_too_long',
      'The question and its chat history are too long for the model. Shorten the question or send "new_conversation": true.',
      { cause },
    ),
  messagesTooLong: (cause?: unknown) =>
    new AskError(
      413,
      'conversation_too_long',
      'The messages are too long for the model. Send fewer or shorter ones.',
      { param: 'messages', cause },
    ),
  contentFiltered: (cause?: unknown) =>
    new AskError(
      422,
      'content_filtered',
      "The model's content filter refused this question or its answer. Rephrase it.",
      { cause },
    ),
  outputLimitReached: () =>
    new AskError(
      422,
      'output_limit_reached',
      'The model reached its output limit before it wrote an answer. Ask a simpler question, or ask the operator to raise MODEL_MAX_OUTPUT_TOKENS.',
      { advice: 'raise MODEL_MAX_OUTPUT_TOKENS, or lower MODEL_REASONING_EFFORT.' },
    ),
  modelRateLimited: (retryAfterMs: number | undefined, cause?: unknown) =>
    new AskError(429, 'model_rate_limited', 'The model is receiving too many requests. Try again later.', {
      retryAfterMs,
      cause,
      advice: 'raise the quota of the deployment, or set AZURE_OPENAI_FALLBACK_ENDPOINTS.',
    }),
  modelUnavailable: (cause?: unknown, retryAfterMs?: number) =>
    new AskError(502, 'model_unavailable', 'The model did not give a usable answer. Try again.', {
      retryAfterMs,
      cause,
      advice: connectionAdvice(cause),
    }),
  circuitOpen: (retryAfterMs: number) =>
    new AskError(
      503,
      'circuit_open',
      'The model failed repeatedly, so no requests are sent to it for a while. Try again later.',
      { retryAfterMs },
    ),
  busy: () =>
    new AskError(503, 'busy', 'This instance has reached its limit of concurrent questions. Try again.', {
      retryAfterMs: 1000,
    }),
  modelMisconfigured: (cause?: unknown, refusedBy: keyof typeof REFUSAL_ADVICE = 'azure') =>
    new AskError(
      502,
      'model_misconfigured',
      'This service cannot use its model because of its settings. See its log, or tell its operator.',
      {
        cause,
        advice: REFUSAL_ADVICE[refusedBy],
        isSevere: true,
      },
    ),
  stopping: () =>
    new AskError(503, 'stopping', 'This instance is shutting down. Try again.', { retryAfterMs: 1000 }),
  timeout: (seconds: number) =>
    new AskError(
      504,
      'timeout',
      `There was no answer within ${seconds} seconds. Try again, or ask a simpler question.`,
      { limit: seconds },
    ),
  misconfigured: (cause?: unknown) =>
    new AskError(
      500,
      'misconfigured',
      'This service is not configured correctly. Its log names the settings: see there, or tell its operator.',
      { cause },
    ),
  notReady: (check: 'configuration' | 'storage' | 'model') =>
    new AskError(
      503,
      'not_ready',
      `This instance cannot answer questions: the check of its ${check} failed. The log has the details.`,
    ),
  notCached: () =>
    new AskError(
      504,
      'not_cached',
      'There is no cached answer. Send the question without "Cache-Control: only-if-cached".',
    ),
  cacheNotCleared: (tiers: string) =>
    new AskError(
      503,
      'cache_not_cleared',
      `The cached answers in ${tiers} could not be deleted. Try again.`,
      { retryAfterMs: 1000 },
    ),
  internal: (cause?: unknown) =>
    new AskError(500, 'internal_error', 'An unexpected error occurred in this service. Try again.', {
      cause,
      isSevere: true,
    }),
};

/** Returns `thrown` if it is an {@link AskError}, otherwise an `internal_error` with `thrown` as its cause. */
export function toAskError(thrown: unknown): AskError {
  return thrown instanceof AskError ? thrown : errors.internal(thrown);
}

/** Returns the JSON body of an error response; `sessionId` is given when the session is known. */
export function errorBody(error: AskError, sessionId?: string): ErrorBody {
  return {
    status: error.message,
    error: error.details,
    ...(sessionId !== undefined && { session_id: sessionId }),
  };
}
