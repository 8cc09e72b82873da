/** The counters of this process, and the `performance_metrics` of an answer. All times in seconds. */
import type { Cost, PerformanceMetrics, ProcessTotals } from '../contract/metrics.ts';
import type { HttpClient } from '../pool/http-client.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { randomUUID } from 'node:crypto';
import type { Prices } from '../config/model-config.ts';
import { addTokens, noTokens, type TokenUsage } from '../model/completion.ts';
import { costOf } from '../model/cost.ts';
import type { CacheResult, QuestionRecord } from './question-record.ts';

/** Gives the metrics of an answer that has just finished. `prices` is null when no prices are set. */
function toPerformanceMetrics(
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
    // True without a model call of its own: a cache hit, a coalesced question, or a replayed answer. The call before an
    // expired answer was in vain.
    from_cache: connection === null || cache.result === 'stale',
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
      ...(cache.tier && { age: seconds(cache.ageMs) }),
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
    ...(record.budget?.left && { budget: record.budget.left }),
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

/** The values of the counters. */
export interface Counters {
  instanceId: string;
  lookups: number;
  hits: number;
  lookupErrors: number;
  coalesced: number;
  stale: number;
  tokensPaid: TokenUsage;
  tokensSaved: TokenUsage;
  /** In the currency of the prices; 0 without prices. */
  cost: Cost;
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}

/** Gives the JSON field `tokens`. */
const reportTokens = ({ cacheWrite, ...tokensPaid }: TokenUsage, tokensSaved: TokenUsage) => ({
  ...tokensPaid,
  cache_write: cacheWrite,
  saved: tokensSaved.prompt + tokensSaved.completion,
});

/**
 * Gives an object with the JSON field `cost`, or an empty object when there are no prices. Each usage is that of one
 * completion, because the prices depend on the size of its prompt.
 */
function reportCost(prices: Prices | null, paid: TokenUsage[], saved: TokenUsage[]): { cost?: Cost } {
  if (!prices) return {};
  const sum = (usages: TokenUsage[]): number =>
    usages.reduce((total, usage) => total + costOf(prices, usage), 0);
  return { cost: roundedCost({ spent: sum(paid), saved: sum(saved) }) };
}

/** Rounds costs for the JSON field `cost`. */
const roundedCost = ({ spent, saved }: Cost): Cost => ({
  spent: roundCost(spent),
  saved: roundCost(saved),
});

/** Rounded to billionths: one token costs a few millionths. */
const roundCost = (cost: number): number => Math.round(1e9 * cost) / 1e9;

/** State that is read only when metrics are exported or shown, not for each question. */
export interface ProcessState {
  openBreakers(): boolean[];
  breakerOpenings(): number[];
  openConnections(): number;
  backgroundWrites(): { done: number; failed: number };
  /** The endpoints whose model has a known retirement date, and the days until then. */
  retirements(): { endpoint: number; days: number }[];
}

/** The counters of this process since its start. */
export interface ProcessCounters {
  /** A random id of this process. */
  readonly instanceId: string;
  /** True for the first call only: the first POST /ask of this process is its cold start. */
  takeColdStart(): boolean;
  /** Counts a finished cache lookup, and the tokens that a hit saved. */
  countLookup(result: CacheResult, tokensSaved: TokenUsage): void;
  /** Counts a question that shared the model call of an identical question. */
  countCoalesced(tokensSaved: TokenUsage): void;
  /** Counts a question that got an expired answer. It was counted as a lookup without a hit, and saved no tokens. */
  countStale(): void;
  /** Counts a model call that the model answered or refused, and whether it reused a connection. */
  countModelCall(durationMs: number, reused: boolean): void;
  /** Counts the tokens of a completion of this app's own model calls, which have to be paid for. */
  countTokens(tokens: TokenUsage): void;
  /** Whether the last model call reached a working model; null before the first call. A refusal counts as `ok`. */
  modelState: 'ok' | 'failing' | null;
  /** Gives the metrics of an answer that has just finished. */
  report(record: QuestionRecord): PerformanceMetrics;
  /** The totals so far, as /health/ready shows them. */
  totals(): Omit<ProcessTotals, 'background_writes'>;
}

/**
 * Starts counting. Costs are reported only when there are prices. `http` knows how many connections to the
 * model are open.
 */
export function createProcessCounters(
  prices: Prices | null,
  http: Pick<HttpClient, 'openConnections'>,
): ProcessCounters {
  const values: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    lookupErrors: 0,
    coalesced: 0,
    stale: 0,
    tokensPaid: noTokens(),
    tokensSaved: noTokens(),
    cost: { spent: 0, saved: 0 },
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  const countSaved = (tokens: TokenUsage): void => {
    addTokens(values.tokensSaved, tokens);
    if (prices) values.cost.saved += costOf(prices, tokens);
  };
  return {
    instanceId: values.instanceId,
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(result, tokensSaved) {
      values.lookups++;
      if (result === 'hit') values.hits++;
      if (result === 'error') values.lookupErrors++;
      countSaved(tokensSaved);
    },
    countCoalesced(tokensSaved) {
      values.coalesced++;
      countSaved(tokensSaved);
    },
    countStale() {
      values.stale++;
    },
    countTokens(tokens) {
      addTokens(values.tokensPaid, tokens);
      if (prices) values.cost.spent += costOf(prices, tokens);
    },
    countModelCall(durationMs, reused) {
      values.modelCalls++;
      values.modelCallsMs += durationMs;
      if (reused) values.reusedConnections++;
    },
    report: (record) => toPerformanceMetrics(record, values, prices, http.openConnections()),
    totals: () => ({
      model_calls: values.modelCalls,
      cache: {
        hits: values.hits,
        misses: values.lookups - values.hits,
        coalesced: values.coalesced,
        stale: values.stale,
        errors: values.lookupErrors,
      },
      tokens: reportTokens(values.tokensPaid, values.tokensSaved),
      ...(prices && { cost: roundedCost(values.cost) }),
    }),
  };
}
