/** Checks measurements that were stored: they may be from another version of the page, or edited by the user. */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';

type Check = (value: unknown) => boolean;

const number: Check = (value) => Number.isFinite(value) && Number(value) >= 0;
const flag: Check = (value) => typeof value === 'boolean';
const text: Check = (value) => typeof value === 'string';
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const object =
  (fields: Record<string, Check>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));
const numbers = (...names: string[]): Record<string, Check> =>
  Object.fromEntries(names.map((name) => [name, number]));

const limitLeft = optional(object({ ...numbers('limit', 'remaining'), renews_at: text }));
const budget: Check = (value) =>
  object({})(value) && Object.values(value as Record<string, unknown>).every(limitLeft);

const isShaped = object({
  ...numbers('api_call_time', 'total_time', 'uptime'),
  from_cache: flag,
  connection_reused: flag,
  connection_stats: object(
    numbers('avg_response_time', 'connection_reuse_count', 'reuse_percentage', 'total_requests'),
  ),
  cold_start: flag,
  instance_id: text,
  invocation: text,
  cache: object({
    result: text,
    tier: orNull(text),
    age: optional(number),
    ...numbers('hits', 'misses', 'hit_percentage'),
  }),
  connection: orNull(
    object({
      protocol: orNull(text),
      tls_resumed: flag,
      ...numbers('id', 'requests_on_connection', 'connect_time', 'time_to_first_byte'),
      ...numbers('attempts', 'open', 'endpoint'),
    }),
  ),
  timings: object(numbers('history_read', 'cache_lookup', 'model', 'history_write', 'time_to_first_token')),
  model: orNull(text),
  tokens: object(numbers('prompt', 'completion', 'cached', 'reasoning', 'saved')),
  cost: optional(object(numbers('spent', 'saved'))),
  budget: optional(budget),
  history_available: flag,
  history_saved: flag,
});

/** Whether a value has all the fields of `performance_metrics` that the page reads. */
export const isMetrics = (value: unknown): value is PerformanceMetrics => isShaped(value);
