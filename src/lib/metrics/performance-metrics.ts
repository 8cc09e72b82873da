/** The `performance_metrics` of an answer, from its record and the counters of the process. All times in seconds. */
import type { Prices } from '../config/model-config.ts';
import type { PerformanceMetrics } from '../contract/metrics.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import type { Counters } from './counters.ts';
import type { QuestionRecord } from './question-record.ts';
import { reportCost, reportTokens } from './tokens.ts';

/** Gives the metrics of an answer that has just finished. `prices` is null when no prices are set. */
export function toPerformanceMetrics(
  record: QuestionRecord,
  counters: Counters,
  prices: Prices | null,
  openConnections: number,
): PerformanceMetrics {
  const { connection, timings, cache } = record;
  return {
    // Waiting for the model call of an identical question does not count.
    api_call_time: seconds(connection ? timings.model : 0),
    total_time: seconds(performance.now() - record.startedAt),
    // True without a model call of its own: a cache hit, a coalesced question, or a replayed answer.
    from_cache: connection === null,
    connection_reused: connection?.reused ?? false,
    connection_stats: {
      avg_response_time: seconds(counters.modelCallsMs / Math.max(1, counters.modelCalls)),
      connection_reuse_count: counters.reusedConnections,
      reuse_percentage: percentage(counters.reusedConnections, counters.modelCalls),
      total_requests: counters.modelCalls,
    },
    cold_start: record.coldStart,
    instance_id: counters.instanceId,
    invocation: record.invocationId,
    uptime: seconds(1000 * process.uptime()),
    cache: {
      result: cache.result,
      tier: cache.tier,
      ...(cache.reason && { reason: cache.reason }),
      hits: counters.hits,
      misses: counters.lookups - counters.hits,
      hit_percentage: percentage(counters.hits, counters.lookups),
    },
    connection: connection && reportConnection(connection, openConnections),
    timings: {
      history_read: seconds(timings.history_read),
      cache_lookup: seconds(timings.cache_lookup),
      model: seconds(timings.model),
      history_write: seconds(timings.history_write),
      time_to_first_token: seconds(timings.time_to_first_token),
    },
    model: record.model,
    tokens: reportTokens(record.tokens, record.tokensSaved),
    ...reportCost(
      prices,
      record.calls.flatMap(({ usages }) => usages),
      [record.tokensSaved],
    ),
    history_available: record.historyAvailable,
    history_saved: record.historySaved,
  };
}

function reportConnection(connection: ConnectionRecord, open: number) {
  return {
    protocol: connection.protocol,
    id: connection.id,
    requests_on_connection: connection.requestsOnConnection,
    connect_time: seconds(connection.connectTimeMs),
    tls_resumed: connection.tlsResumed,
    time_to_first_byte: seconds(connection.timeToFirstByteMs ?? 0),
    attempts: connection.attempts,
    open,
    endpoint: connection.endpoint,
  };
}

/** Milliseconds as seconds, rounded to microseconds. */
export const seconds = (ms: number): number => Math.round(1000 * ms) / 1e6;

/** Percentage with two decimals; 0 when `whole` is 0. */
const percentage = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.round((10_000 * part) / whole) / 100;
