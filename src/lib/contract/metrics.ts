/** The measurements in answers and in `/health/ready`, as schemas. */
import * as z from 'zod/mini';
import { count, flag, percentage, schemas, seconds, text, time } from './schema.ts';

const cost = z
  .object({
    spent: z.number().check(z.nonnegative(), z.describe('Cost of the model calls.')),
    saved: z
      .number()
      .check(
        z.nonnegative(),
        z.describe('Cost avoided by answers from the cache or from the model call of an identical question.'),
      ),
  })
  .register(schemas, {
    id: 'Cost',
    description: 'In the currency of the configured prices; absent when no prices are set.',
  });

const tokens = z
  .object({
    prompt: count('Tokens of the prompts sent.'),
    completion: count('Tokens of the completions received.'),
    cached: count("Tokens of `prompt` that were in the model's prompt cache."),
    cache_write: count(
      "Tokens of `prompt` that were written to the model's prompt cache, as newer models bill them.",
    ),
    reasoning: count('Reasoning tokens, which are part of `completion` and never shown.'),
    saved: count('Tokens avoided by answers without a model call of their own.'),
  })
  .register(schemas, { id: 'Tokens', description: 'Tokens as counted by the model.' });

const connectionMetrics = z
  .object({
    protocol: z
      .nullable(z.enum(['h2', 'h1']))
      .check(z.describe('HTTP/2 or HTTP/1.1; null when no connection was established.')),
    id: count('Number of the connection in this process, from 1.'),
    requests_on_connection: count('Model calls on this connection so far, including this one.'),
    connect_time: seconds('Time to establish the connection, including TLS.'),
    tls_resumed: flag('Whether the TLS session of an earlier connection was resumed.'),
    time_to_first_byte: seconds(
      "From the start of the last attempt to the first byte of the model's response.",
    ),
    attempts: count('Requests sent to the model, including retries.'),
    open: count('Open connections of this process.'),
    endpoint: count('Index of the endpoint that was called last: 0 is the primary one.'),
  })
  .register(schemas, {
    id: 'ConnectionMetrics',
    description: 'The connection to the model, measured at the socket.',
  });

const connectionStats = z.object({
  avg_response_time: seconds('Average of the model calls of this process.'),
  connection_reuse_count: count('Model calls on a connection that was already established.'),
  reuse_percentage: percentage('Share of these calls in `total_requests`.'),
  total_requests: count(
    'Model calls of this process that were answered, or refused because of the question, including this one.',
  ),
});

/** Why no cached answer was used. A list that may grow. */
const cacheReason = z.enum([
  'not_found',
  'expired',
  'max_age',
  'model_changed',
  'no_cache',
  'no_store',
  'history_unavailable',
  'off',
]);

const cacheMetrics = z.object({
  result: z
    .enum(['hit', 'miss', 'coalesced', 'stale', 'bypass', 'error'])
    .check(
      z.describe(
        '`coalesced`: the answer comes from the model call of an identical question; `stale`: the answer is an expired one, because the model did not answer; `bypass`: the cache was not searched; `error`: a tier failed and no other tier had the answer.',
      ),
    ),
  tier: z
    .nullable(z.enum(['memory', 'sqlite', 'redis']))
    .check(z.describe('The tier of a hit, or of an expired answer.')),
  age: z.optional(seconds('Age of the cached answer; absent without one.')),
  reason: z
    .optional(cacheReason)
    .check(
      z.describe(
        'Why no cached answer was used; absent for a hit, for an answer that is replayed, and when a tier failed and no other had one. `not_found`: there was none; `expired`: its lifetime was over; `max_age`: it was older than the request allows; `model_changed`: it is from another model or version than the endpoint has now; `no_cache`, `no_store`: the request excluded the cache; `history_unavailable`: the question was answered without its chat history; `off`: there is no cache. Further values may be added.',
      ),
    ),
  hits: count('Hits of this process.'),
  misses: count('Misses of this process.'),
  hit_percentage: percentage('Share of hits in all lookups.'),
});

const timings = z.object({
  history_read: seconds('Reading the chat history.'),
  cache_lookup: seconds('Searching the cache.'),
  model: seconds('Waiting for the model, or for the model call of an identical question.'),
  history_write: seconds('Storing the interaction.'),
  time_to_first_token: seconds('From the start of the invocation to the first text of the answer.'),
});

/** The limits, by whose they are and their period. */
export const LIMIT_NAMES = ['caller_minute', 'caller_day', 'caller_month', 'app_day', 'app_month'] as const;

const limitLeft = z
  .object({
    limit: z.number().check(z.positive()),
    remaining: z
      .number()
      .check(
        z.nonnegative(),
        z.describe('What is left of it, as far as this process knows: other processes may give some back.'),
      ),
    renews_at: time('When the next period begins.'),
  })
  .register(schemas, { id: 'LimitLeft', description: 'A limit, and what is left of it.' });

const left = (description: string) => z.optional(limitLeft).check(z.describe(description));

const budgetLeft = z
  .object({
    caller_minute: left('Questions of the caller in this minute that call the model.'),
    caller_day: left('Money of the caller in this day (UTC).'),
    caller_month: left('Money of the caller in this month.'),
    app_day: left('Money of the whole app in this day.'),
    app_month: left('Money of the whole app in this month.'),
  })
  .register(schemas, {
    id: 'BudgetLeft',
    description:
      'What is left of the budgets, money in the currency of the configured prices. Absent when no budget is set, and for answers without a model call of their own.',
  });

export const performanceMetrics = z
  .object({
    api_call_time: seconds('Duration of the model call, including queueing and retries; 0 without a call.'),
    total_time: seconds('From the start of the invocation to the complete answer.'),
    from_cache: flag('Whether the answer is not from a model call of its own.'),
    connection_reused: flag(
      'Whether the connection was already established when the question was sent to the model.',
    ),
    connection_stats: connectionStats,
    cold_start: flag('Whether this was the first POST /ask of the process.'),
    instance_id: z.uuid().check(z.describe('Id of the process.')),
    invocation: text('Id of the invocation, as in the log and in `X-Request-Id`.'),
    uptime: seconds('Since the process started.'),
    cache: cacheMetrics,
    connection: z.nullable(connectionMetrics).check(z.describe('Null without a model call.')),
    timings,
    model: z
      .nullable(z.string())
      .check(z.describe('The model that the answer is from, with its version; null when it gave none.')),
    tokens,
    cost: z.optional(cost),
    budget: z.optional(budgetLeft),
    history_available: flag('Whether the chat history could be read.'),
    history_saved: flag('Whether the interaction was stored.'),
  })
  .register(schemas, { id: 'PerformanceMetrics', description: 'Measurements of one answer.' });

export const processTotals = z
  .object({
    model_calls: count('Answered model calls.'),
    cache: z.object({
      hits: count('Lookups that found an answer.'),
      misses: count('Lookups that found no answer.'),
      coalesced: count('Questions answered by the model call of an identical question.'),
      stale: count('Questions answered by an expired answer, because the model did not answer.'),
      errors: count('Misses during which a cache tier failed.'),
    }),
    tokens,
    cost: z.optional(cost),
    background_writes: z
      .object({
        done: count('Writes completed.'),
        failed: count('Writes that failed or were dropped.'),
      })
      .check(z.describe('Writes to the cache tiers in the SQLite file and in Redis.')),
  })
  .register(schemas, { id: 'ProcessTotals', description: 'Totals since this process started.' });

export type BudgetLeft = z.infer<typeof budgetLeft>;
/** Whose limit, and its period. */
export type LimitName = (typeof LIMIT_NAMES)[number];
/** The limits of money. */
export type BudgetName = Exclude<LimitName, 'caller_minute'>;
export type Cost = z.infer<typeof cost>;
export type CacheReason = z.infer<typeof cacheReason>;
export type PerformanceMetrics = z.infer<typeof performanceMetrics>;
export type ProcessTotals = z.infer<typeof processTotals>;
