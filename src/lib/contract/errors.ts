/** Every error that a caller can meet: its code, its HTTP status, and a message that says what to do. */
import type { ErrorBody, ErrorCode } from './responses.ts';

/** A fault with a defined outcome. `message` is for the caller; `cause` is for the log only. */
export class AskError extends Error {
  override readonly name = 'AskError';
  /** HTTP status of the answer. */
  readonly status: number;
  /** Stable name for programs, in snake_case. */
  readonly code: ErrorCode;
  /** Milliseconds after which it is worth trying again, if that is known. */
  readonly retryAfterMs: number | undefined;
  /** Further response headers, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, options: AskErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers ?? {};
  }

  /** The same in whole seconds, rounded up, as HTTP wants it. */
  get retryAfter(): number | undefined {
    return this.retryAfterMs === undefined ? undefined : Math.ceil(this.retryAfterMs / 1000);
  }
}

interface AskErrorOptions {
  cause?: unknown;
  retryAfterMs?: number | undefined;
  headers?: Record<string, string>;
}

/** The errors of this API, by what went wrong. Each call gives a new {@link AskError} to throw. */
export const errors = {
  methodNotAllowed: (allow: string) =>
    new AskError(405, 'method_not_allowed', `This address only answers ${allow}.`, {
      headers: { Allow: allow },
    }),
  unsupportedMediaType: () =>
    new AskError(
      415,
      'unsupported_media_type',
      'Send the question as JSON, with the header "Content-Type: application/json".',
    ),
  requestTimeout: (seconds: number) =>
    new AskError(
      408,
      'request_timeout',
      `The body of the request did not arrive within ${seconds} seconds. Send it again.`,
    ),
  bodyTooLarge: (maxBytes: number) =>
    new AskError(
      413,
      'body_too_large',
      `The body is larger than ${maxBytes} bytes. Send a shorter question.`,
    ),
  invalidJson: (why: string) =>
    new AskError(400, 'invalid_json', `${why} Send one like {"question": "What is the capital of France?"}.`),
  invalidField: (field: string, rule: string) =>
    new AskError(400, 'invalid_request', `The field "${field}" ${rule}.`),
  invalidHeader: (name: string, rule: string) =>
    new AskError(400, 'invalid_request', `The header "${name}" ${rule}.`),
  invalidPosition: () =>
    new AskError(400, 'invalid_request', 'The parameter "before" is none that "next" ever named.'),
  notSignedIn: () =>
    new AskError(
      401,
      'not_signed_in',
      'Sign in to see your sessions. A session is read by its own address without that.',
    ),
  userUnknown: () =>
    new AskError(
      401,
      'not_signed_in',
      'You are signed in, but it is not known as whom. Sign out, then sign in again.',
    ),
  sessionNotFound: () =>
    new AskError(404, 'session_not_found', 'There is no such session, or not at this position any more.'),
  idempotencyConflict: () =>
    new AskError(
      409,
      'idempotency_conflict',
      'This Idempotency-Key was used for another question. Send a new one.',
    ),
  idempotencyForgotten: () =>
    new AskError(
      409,
      'idempotency_conflict',
      'This Idempotency-Key belongs to a question that was answered and then forgotten. Send a new one.',
    ),
  questionTooLong: (maxChars: number) =>
    new AskError(
      413,
      'question_too_long',
      `The field "question" is longer than ${maxChars} characters. Shorten it.`,
    ),
  conversationTooLong: (cause?: unknown) =>
    new AskError(
      413,
      'conversation_too_long',
      'The question and its conversation are too long for the model. Shorten the question or send "new_conversation": true.',
      { cause },
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
      'The model used up its output limit before it wrote an answer. Ask something simpler, or have MODEL_MAX_OUTPUT_TOKENS raised.',
    ),
  modelRateLimited: (retryAfterMs: number | undefined, cause?: unknown) =>
    new AskError(429, 'model_rate_limited', 'The model is receiving too many requests. Try again later.', {
      retryAfterMs,
      cause,
    }),
  modelUnavailable: (cause?: unknown, retryAfterMs?: number) =>
    new AskError(502, 'model_unavailable', 'The model did not give a usable answer. Try again.', {
      retryAfterMs,
      cause,
    }),
  circuitOpen: (retryAfterMs: number) =>
    new AskError(
      503,
      'circuit_open',
      'The model has failed repeatedly and is not asked for a while. Try again later.',
      {
        retryAfterMs,
      },
    ),
  busy: () =>
    new AskError(503, 'busy', 'This instance is answering as many questions as it can. Try again.', {
      retryAfterMs: 1000,
    }),
  modelMisconfigured: (cause?: unknown) =>
    new AskError(
      502,
      'model_misconfigured',
      'This service is not set up to use its model. Tell whoever runs it.',
      { cause },
    ),
  historyNotReset: (cause?: unknown) =>
    new AskError(
      503,
      'history_unavailable',
      'The old conversation could not be forgotten, so no new one was started. Try again.',
      { retryAfterMs: 1000, cause },
    ),
  claimUnavailable: (cause?: unknown) =>
    new AskError(
      503,
      'history_unavailable',
      'It could not be found out whether this question was answered already, so it was not asked. Try again.',
      { retryAfterMs: 1000, cause },
    ),
  sessionNotDeleted: (cause?: unknown) =>
    new AskError(503, 'history_unavailable', 'The session could not be deleted. Try again.', {
      retryAfterMs: 1000,
      cause,
    }),
  storageUnavailable: (cause?: unknown) =>
    new AskError(503, 'history_unavailable', 'Sessions cannot be read at the moment. Try again.', {
      retryAfterMs: 1000,
      cause,
    }),
  stopping: () =>
    new AskError(503, 'stopping', 'This instance is shutting down. Try again.', { retryAfterMs: 1000 }),
  timeout: (seconds: number) =>
    new AskError(
      504,
      'timeout',
      `There was no answer within ${seconds} seconds. Try again, or ask something shorter.`,
    ),
  misconfigured: (cause?: unknown) =>
    new AskError(
      500,
      'misconfigured',
      'This service is not configured. Tell whoever runs it: the log names the settings.',
      { cause },
    ),
  notReady: (what: 'configuration' | 'storage' | 'model') =>
    new AskError(
      503,
      'not_ready',
      `This instance cannot answer questions: its ${what} is failing. The log says more.`,
    ),
  notCached: () =>
    new AskError(
      504,
      'not_cached',
      'There is no cached answer. Ask without "Cache-Control: only-if-cached".',
    ),
  cacheNotCleared: (tiers: string) =>
    new AskError(
      503,
      'cache_not_cleared',
      `The cached answers in ${tiers} could not be forgotten. Try again.`,
      {
        retryAfterMs: 1000,
      },
    ),
  internal: (cause?: unknown) =>
    new AskError(500, 'internal_error', 'Something went wrong in this service. Try again.', { cause }),
};

/** Gives the {@link AskError} for whatever was thrown: itself, or `internal_error` with the thrown value as its cause. */
export function toAskError(thrown: unknown): AskError {
  return thrown instanceof AskError ? thrown : errors.internal(thrown);
}

/** Gives the JSON body for an error; `sessionId` when the session is known already. */
export function errorBody(error: AskError, sessionId?: string): ErrorBody {
  return {
    status: error.message,
    error: {
      code: error.code,
      ...(error.retryAfter !== undefined && { retry_after: error.retryAfter }),
    },
    ...(sessionId !== undefined && { session_id: sessionId }),
  };
}
