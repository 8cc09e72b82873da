/**
 * What the API answers, as schemas. The types of the code and the OpenAPI document come from here; the fields of a
 * question are in ask-fields.ts, which alone is needed while questions are answered.
 */
import * as z from 'zod/mini';

/** All named parts of the document. */
export const schemas = z.registry<{ id: string; description: string }>();

const seconds = (description: string) =>
  z.number().check(z.nonnegative(), z.describe(`${description} In seconds.`));
const count = (description: string) => z.int().check(z.nonnegative(), z.describe(description));
const percentage = (description: string) =>
  z.number().check(z.nonnegative(), z.maximum(100), z.describe(`${description} From 0 to 100.`));
const flag = (description: string) => z.boolean().check(z.describe(description));
const text = (description: string) => z.string().check(z.describe(description));
const time = (description: string) => z.iso.datetime().check(z.describe(description));

export const chatMessage = z
  .object({
    role: z.enum(['human', 'ai']),
    content: z.string(),
    shortened: z.optional(z.literal(true)).check(z.describe('It was too long to be kept whole.')),
  })
  .register(schemas, { id: 'ChatMessage', description: 'One entry of a chat history.' });

export const cost = z
  .object({
    spent: z.number().check(z.nonnegative(), z.describe('What the model calls cost.')),
    saved: z
      .number()
      .check(
        z.nonnegative(),
        z.describe('What answers would have cost that the cache, or the call of another question, gave.'),
      ),
  })
  .register(schemas, { id: 'Cost', description: 'In the currency of the prices; absent when none are set.' });

export const tokens = z
  .object({
    prompt: count('Of the prompts sent.'),
    completion: count('Of the completions received.'),
    cached: count('Those of `prompt` that the model had cached.'),
    saved: count('Those that were spared by an answer without a model call.'),
  })
  .register(schemas, { id: 'Tokens', description: 'Tokens as the model counted them.' });

const connection = z
  .object({
    protocol: z
      .nullable(z.enum(['h2', 'h1']))
      .check(z.describe('HTTP/2 or HTTP/1.1; null when none was reached.')),
    id: count('Number of the connection in this process, from 1.'),
    requests_on_connection: count('Model calls on it so far, this one included.'),
    connect_time: seconds('What it took to establish it, TLS included.'),
    tls_resumed: flag('It went on with the TLS session of an earlier one.'),
    time_to_first_byte: seconds("From the last attempt to the first byte of the model's answer."),
    attempts: count('Times the model was asked.'),
    open: count('Connections of this process that are open.'),
    endpoint: count('Which endpoint was asked: 0 is the primary one.'),
  })
  .register(schemas, {
    id: 'Connection',
    description: 'The connection to the model, measured at the socket.',
  });

export const performanceMetrics = z
  .object({
    api_call_time: seconds('Calling the model, queue and retries included; 0 without a call.'),
    total_time: seconds('From the first line of the handler to the finished answer.'),
    from_cache: flag('No model call was made for this answer.'),
    connection_reused: flag(
      'The connection was established already when the question was sent to the model.',
    ),
    connection_stats: z.object({
      avg_response_time: seconds('Of the model calls of this process.'),
      connection_reuse_count: count('Those on a connection that was established before.'),
      reuse_percentage: percentage('Their share.'),
      total_requests: count(
        'Model calls of this process that were answered or refused for what was asked, this one included.',
      ),
    }),
    cold_start: flag('The first POST /ask of its process.'),
    instance_id: z.uuid().check(z.describe('Of the process.')),
    invocation: text('Id of the invocation, as in the log and in `X-Request-Id`.'),
    uptime: seconds('Since the process started.'),
    cache: z.object({
      result: z
        .enum(['hit', 'miss', 'coalesced', 'bypass', 'error'])
        .check(
          z.describe(
            "`coalesced`: another question's model call served this one too; `bypass`: the cache was not asked; `error`: a tier failed and none had it.",
          ),
        ),
      tier: z.nullable(z.enum(['memory', 'sqlite', 'redis'])).check(z.describe('Where a hit was found.')),
      hits: count('Of this process.'),
      misses: count('Of this process.'),
      hit_percentage: percentage('Hits of all lookups.'),
    }),
    connection: z.nullable(connection).check(z.describe('Null when no model call was made.')),
    timings: z.object({
      history_read: seconds('Reading the chat history.'),
      cache_lookup: seconds('Looking for a cached answer.'),
      model: seconds('Waiting for the model, or for the call of an identical question.'),
      history_write: seconds('Storing the interaction.'),
      time_to_first_token: seconds('From the first line of the handler to the first text.'),
    }),
    tokens,
    cost: z.optional(cost),
    history_available: flag('The chat history could be read.'),
    history_saved: flag('The interaction was stored.'),
  })
  .register(schemas, { id: 'PerformanceMetrics', description: 'What was measured while answering.' });

export const answer = z
  .object({
    answer: text("The model's text."),
    chat_history: z
      .array(chatMessage)
      .check(z.describe('The conversation after this answer, oldest first, up to 10 interactions.')),
    session_id: text('Used, or made for this question.'),
    status: z.literal('success'),
    performance_metrics: performanceMetrics,
  })
  .register(schemas, { id: 'Answer', description: 'The answer to a question.' });

/** Every `error.code`: errors.ts says what each is. */
export const ERROR_CODES = [
  'body_too_large',
  'busy',
  'cache_not_cleared',
  'circuit_open',
  'content_filtered',
  'conversation_too_long',
  'history_unavailable',
  'idempotency_conflict',
  'internal_error',
  'invalid_json',
  'invalid_request',
  'method_not_allowed',
  'misconfigured',
  'model_misconfigured',
  'model_rate_limited',
  'model_unavailable',
  'not_cached',
  'not_ready',
  'not_signed_in',
  'output_limit_reached',
  'question_too_long',
  'request_timeout',
  'session_not_found',
  'stopping',
  'timeout',
  'unsupported_media_type',
] as const;

export const errorBody = z
  .object({
    status: text('What went wrong and what to do about it.'),
    error: z.object({
      code: z.enum(ERROR_CODES).check(z.describe('Stable name for programs.')),
      retry_after: z.optional(count('Seconds after which it is worth trying again, as in `Retry-After`.')),
    }),
    session_id: z.optional(text('Of the question, once it is known.')),
  })
  .register(schemas, { id: 'Error', description: 'Every answer that is not one of 200.' });

export const opening = z.object({ session_id: z.string(), cold_start: z.boolean() });

/** The events of a stream: their data by their names. */
export const streamEvents = {
  session: opening.register(schemas, { id: 'SessionEvent', description: 'Event `session`: the first.' }),
  token: z
    .object({ text: z.string() })
    .register(schemas, { id: 'TokenEvent', description: 'Event `token`: a piece of the answer.' }),
  done: answer,
  error: errorBody,
};

export const session = z
  .object({
    session_id: z.string(),
    created_at: time('When its first interaction was stored.'),
    updated_at: time('When its newest interaction was stored.'),
    interaction_count: count('On all pages.'),
    chat_history: z
      .array(chatMessage)
      .check(z.describe('One page, oldest first; the newest page comes first.')),
    next: z.nullable(z.string()).check(z.describe('Address of the page before it; null when there is none.')),
  })
  .register(schemas, { id: 'Session', description: 'A session, read back.' });

export const sessionList = z
  .object({
    sessions: z.array(
      z.object({
        session_id: z.string(),
        title: text('The beginning of its first question.'),
        created_at: time('When its first interaction was stored.'),
        updated_at: time('When its newest interaction was stored.'),
      }),
    ),
    next: z.nullable(z.string()).check(z.describe('Address of the next page; null when there is none.')),
  })
  .register(schemas, { id: 'SessionList', description: 'Sessions of the user who asks, newest first.' });

export const cacheCleared = z
  .object({
    status: text('What was forgotten, and what was not.'),
    cleared: z.array(z.enum(['memory', 'sqlite', 'redis'])),
  })
  .register(schemas, { id: 'CacheCleared', description: 'Cached answers were forgotten.' });

export const health = z
  .object({ status: z.literal('ok') })
  .register(schemas, { id: 'Health', description: 'The process lives.' });

export const processTotals = z
  .object({
    model_calls: count('Answered ones.'),
    cache: z.object({
      hits: count('Lookups that found an answer.'),
      misses: count('Lookups that found none.'),
      coalesced: count('Questions answered by the model call of another.'),
      errors: count('Misses of which a failing tier may be the reason.'),
    }),
    tokens,
    cost: z.optional(cost),
    background_writes: z.object({ done: count('Stored.'), failed: count('Given up.') }),
  })
  .register(schemas, { id: 'ProcessTotals', description: 'Sums since this process started.' });

const readiness = {
  checks: z.object({
    configuration: z.enum(['ok', 'failing']),
    storage: z.enum(['ok', 'failing', 'unknown']),
    model: z
      .enum(['ok', 'failing', 'unknown'])
      .check(z.describe('Whether the model could be used when it was asked last, or can be reached.')),
  }),
  totals: z.nullable(processTotals).check(z.describe('Null when the settings are wrong.')),
};

export const ready = z
  .object({ status: z.literal('ready'), ...readiness })
  .register(schemas, { id: 'Ready', description: 'This instance can answer questions.' });

export const notReady = z
  .object({ status: errorBody.shape.status, error: errorBody.shape.error, ...readiness })
  .register(schemas, { id: 'NotReady', description: 'This instance cannot answer questions, and why.' });

export type ChatMessage = z.infer<typeof chatMessage>;
export type Cost = z.infer<typeof cost>;
export type PerformanceMetrics = z.infer<typeof performanceMetrics>;
export type Answer = z.infer<typeof answer>;
export type ErrorCode = (typeof ERROR_CODES)[number];
export type ErrorBody = z.infer<typeof errorBody>;
export type Opening = z.infer<typeof opening>;
export type Session = z.infer<typeof session>;
export type SessionList = z.infer<typeof sessionList>;
export type CacheCleared = z.infer<typeof cacheCleared>;
export type Health = z.infer<typeof health>;
export type ProcessTotals = z.infer<typeof processTotals>;
export type Ready = z.infer<typeof ready>;
export type NotReady = z.infer<typeof notReady>;
