/** The responses of the API as schemas. The types of the code and the OpenAPI document are derived from them. */
import * as z from 'zod/mini';
import { LIMIT_NAMES, performanceMetrics, processTotals } from './metrics.ts';
import { count, schemas, text, time } from './schema.ts';

const chatMessage = z
  .object({
    role: z.enum(['human', 'ai']),
    content: z.string(),
    shortened: z
      .optional(z.literal(true))
      .check(z.describe('The text was too long to be stored completely.')),
    stopped: z
      .optional(z.literal(true))
      .check(z.describe('The answer was stopped: `content` is what had come by then.')),
    position: z
      .optional(z.string())
      .check(
        z.describe(
          'Position of the interaction, the same for its question and its answer. Only at `/sessions/ID`.',
        ),
      ),
  })
  .register(schemas, { id: 'ChatMessage', description: 'One message of a chat history.' });

/** All values of `finish_reason`. */
export const FINISH_REASONS = ['stop', 'length', 'refusal', 'other'] as const;

export const answer = z
  .object({
    answer: text('The text of the model.'),
    chat_history: z
      .array(chatMessage)
      .check(
        z.describe(
          'The chat history including this answer, oldest first: the newest `HISTORY_MAX_INTERACTIONS` interactions.',
        ),
      ),
    session_id: text('The session of the request, or the new session.'),
    position: z
      .optional(z.string())
      .check(z.describe('Position of the interaction in its session; absent when it was not stored.')),
    status: z.literal('success'),
    stopped: z
      .optional(z.literal(true))
      .check(
        z.describe(
          'The answer was stopped: `answer` is what had come by then, and empty when nothing had come. Then nothing is stored.',
        ),
      ),
    finish_reason: z
      .nullable(z.enum(FINISH_REASONS))
      .check(
        z.describe(
          'Why the text ends. `stop`: it is complete; `length`: it was cut at the output limit; `refusal`: the model says why it does not answer; `other`: the model gave another reason or none. Null for an answer that is replayed for an `Idempotency-Key`, or was stopped.',
        ),
      ),
    performance_metrics: performanceMetrics,
  })
  .register(schemas, { id: 'Answer', description: 'The answer to a question.' });

/** All values of `error.code`. errors.ts has the status and the message of each. */
export const ERROR_CODES = [
  'answer_not_found',
  'asset_not_found',
  'body_too_large',
  'budget_exceeded',
  'budget_unavailable',
  'busy',
  'cache_not_cleared',
  'circuit_open',
  'content_filtered',
  'conversation_too_long',
  'erasure_incomplete',
  'history_unavailable',
  'idempotency_conflict',
  'internal_error',
  'interaction_gone',
  'interrupted',
  'invalid_api_key',
  'invalid_json',
  'invalid_request',
  'method_not_allowed',
  'misconfigured',
  'model_misconfigured',
  'model_not_found',
  'model_rate_limited',
  'model_unavailable',
  'not_acceptable',
  'not_cached',
  'not_ready',
  'not_signed_in',
  'openai_api_off',
  'origin_not_allowed',
  'output_limit_reached',
  'previous_response_not_found',
  'question_too_long',
  'rate_limited',
  'request_timeout',
  'session_not_found',
  'stopping',
  'timeout',
  'unsupported_media_type',
  'unsupported_parameter',
] as const;

export const errorBody = z
  .object({
    status: text('What went wrong and what to do.'),
    error: z.object({
      code: z.enum(ERROR_CODES).check(z.describe('Stable identifier for client programs.')),
      retry_after: z.optional(count('Seconds to wait before a retry, as in `Retry-After`.')),
      budget: z
        .optional(z.enum(LIMIT_NAMES))
        .check(z.describe('The budget, or limit of questions per minute, that has too little left.')),
      renews_at: z.optional(time('When that budget or limit renews.')),
      limit: z.optional(
        z
          .number()
          .check(
            z.positive(),
            z.describe(
              'The limit that `status` names: UTF-16 units of a question, bytes of a body, seconds of a time limit, or questions per minute.',
            ),
          ),
      ),
    }),
    session_id: z.optional(text('The session of the question, when it is known.')),
  })
  .register(schemas, { id: 'Error', description: 'Every response of the app with an error status.' });

export const session = z
  .object({
    session_id: z.string(),
    created_at: time('When the first question came.'),
    updated_at: time('When the newest question came.'),
    interaction_count: count('Interactions on all pages.'),
    chat_history: z
      .array(chatMessage)
      .check(z.describe('One page, oldest message first. Without `before` it is the newest page.')),
    answering: z
      .optional(
        z.array(
          z.object({
            key: text('The `Idempotency-Key` of the question.'),
            question: z.string(),
            started_at: time('When the question came.'),
          }),
        ),
      )
      .check(
        z.describe(
          'The questions with an `Idempotency-Key` that are being answered, in the order of asking. Only of the newest page.',
        ),
      ),
    next: z
      .nullable(z.string())
      .check(z.describe('Address of the page with older messages; null when there is none.')),
  })
  .register(schemas, { id: 'Session', description: 'A session and one page of its chat history.' });

export const sessionCopy = z
  .object({ session_id: text('The new session.') })
  .register(schemas, { id: 'SessionCopy', description: 'The copy of a session.' });

export const sessionList = z
  .object({
    sessions: z.array(
      z.object({
        session_id: z.string(),
        title: text('The beginning of the first question.'),
        created_at: time('When the first interaction was stored.'),
        updated_at: time('When the newest interaction was stored.'),
      }),
    ),
    next: z.nullable(z.string()).check(z.describe('Address of the next page; null when there is none.')),
  })
  .register(schemas, {
    id: 'SessionList',
    description: 'Sessions of the signed-in user, the most recently used first.',
  });

export const cacheCleared = z
  .object({
    status: text('Which cached answers were deleted.'),
    cleared: z.array(z.enum(['memory', 'sqlite', 'redis'])).check(z.describe('The cleared cache tiers.')),
  })
  .register(schemas, { id: 'CacheCleared', description: 'The cached answers were deleted.' });

export const health = z
  .object({ status: z.literal('ok') })
  .register(schemas, { id: 'Health', description: 'The process is running.' });

const readiness = {
  checks: z.object({
    configuration: z.enum(['ok', 'failing']),
    storage: z.enum(['ok', 'failing', 'unknown']),
    model: z
      .enum(['ok', 'failing', 'unknown'])
      .check(
        z.describe(
          '`failing`: the last model call failed, or no endpoint can be called; `unknown`: no model call so far.',
        ),
      ),
  }),
  model: z
    .optional(
      z.object({
        retires_in_days: z
          .int()
          .check(
            z.describe(
              'Days until the model of an endpoint retires, negative afterwards; the soonest of them.',
            ),
          ),
      }),
    )
    .check(
      z.describe('Absent while no date is known: before the first answer, or on a server without dates.'),
    ),
  totals: z.nullable(processTotals).check(z.describe('Null when the settings are invalid.')),
};

export const ready = z
  .object({ status: z.literal('ready'), ...readiness })
  .register(schemas, { id: 'Ready', description: 'This instance can answer questions.' });

export const notReady = z
  .object({ status: errorBody.shape.status, error: errorBody.shape.error, ...readiness })
  .register(schemas, {
    id: 'NotReady',
    description: 'This instance cannot answer questions; `checks` shows the reason.',
  });

export type ChatMessage = z.infer<typeof chatMessage>;
export type Answer = z.infer<typeof answer>;
export type FinishReason = (typeof FINISH_REASONS)[number];
export type ErrorCode = (typeof ERROR_CODES)[number];
export type ErrorBody = z.infer<typeof errorBody>;
export type Session = z.infer<typeof session>;
export type SessionCopy = z.infer<typeof sessionCopy>;
export type SessionList = z.infer<typeof sessionList>;
export type CacheCleared = z.infer<typeof cacheCleared>;
export type Health = z.infer<typeof health>;
export type Ready = z.infer<typeof ready>;
export type NotReady = z.infer<typeof notReady>;
