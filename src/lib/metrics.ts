/** The counters of this process, and the metrics of an answer made from them and from its record. */
import { randomUUID } from 'node:crypto';
import type { TokenUsage } from './chat-model.ts';
import type { Cost, PerformanceMetrics, ProcessTotals } from './contract.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { costOf, type Prices } from './price.ts';
import type { CacheResult, QuestionRecord } from './question-record.ts';

/** The counters of this process, from its start. */
export interface ProcessMetrics {
  /** Names this process, and no other. */
  readonly instanceId: string;
  /** True for the first caller only: the first POST /ask of this process. */
  takeColdStart(): boolean;
  /** Counts a finished cache lookup. */
  countLookup(result: CacheResult, saved: TokenUsage): void;
  /** Counts a question that was answered by the model call of another. */
  countCoalesced(saved: TokenUsage): void;
  /** Counts a model call that was answered, or refused for what was asked, and how its connection came to be. */
  countModelCall(durationMs: number, reused: boolean): void;
  /** Counts tokens that were paid for. */
  countTokens(tokens: TokenUsage): void;
  /** Whether the model could be used when it was asked last; null before. What was asked is no fault of the model. */
  modelState: 'ok' | 'failing' | null;
  /** The metrics of an answer finished now. All times in seconds. */
  report(record: QuestionRecord, openConnections: number): PerformanceMetrics;
  /** What this process did so far, as /health/ready shows it. */
  totals(): Omit<ProcessTotals, 'background_writes'>;
}

interface Counters {
  instanceId: string;
  lookups: number;
  hits: number;
  lookupErrors: number;
  coalesced: number;
  tokens: { paid: TokenUsage; saved: TokenUsage };
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}

/** Starts counting; what it costs only if there are prices. */
export function createProcessMetrics(prices: Prices | null): ProcessMetrics {
  const counters: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    lookupErrors: 0,
    coalesced: 0,
    tokens: { paid: noTokens(), saved: noTokens() },
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  return {
    instanceId: counters.instanceId,
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(result, saved) {
      counters.lookups++;
      if (result === 'hit') counters.hits++;
      if (result === 'error') counters.lookupErrors++;
      addTokens(counters.tokens.saved, saved);
    },
    countCoalesced(saved) {
      counters.coalesced++;
      addTokens(counters.tokens.saved, saved);
    },
    countTokens(tokens) {
      addTokens(counters.tokens.paid, tokens);
    },
    countModelCall(durationMs, reused) {
      counters.modelCalls++;
      counters.modelCallsMs += durationMs;
      if (reused) counters.reusedConnections++;
    },
    report: (record, openConnections) => toPerformanceMetrics(record, counters, prices, openConnections),
    totals: () => ({
      model_calls: counters.modelCalls,
      cache: {
        hits: counters.hits,
        misses: counters.lookups - counters.hits,
        coalesced: counters.coalesced,
        errors: counters.lookupErrors,
      },
      tokens: reportTokens(counters.tokens.paid, counters.tokens.saved),
      ...reportCost(prices, counters.tokens.paid, counters.tokens.saved),
    }),
  };
}

const noTokens = (): TokenUsage => ({ prompt: 0, completion: 0, cached: 0 });

/** Adds to `sum`. */
export function addTokens(sum: TokenUsage, { prompt, completion, cached }: TokenUsage): void {
  sum.prompt += prompt;
  sum.completion += completion;
  sum.cached += cached;
}

const reportTokens = (paid: TokenUsage, saved: TokenUsage) => ({
  ...paid,
  saved: saved.prompt + saved.completion,
});

function reportCost(prices: Prices | null, paid: TokenUsage, saved: TokenUsage): { cost?: Cost } {
  if (!prices) return {};
  return { cost: { spent: roundCost(costOf(prices, paid)), saved: roundCost(costOf(prices, saved)) } };
}

/** To a billionth: a token costs some millionths. */
const roundCost = (cost: number): number => Math.round(1e9 * cost) / 1e9;

function toPerformanceMetrics(
  record: QuestionRecord,
  counters: Counters,
  prices: Prices | null,
  openConnections: number,
): PerformanceMetrics {
  const { connection, timings, cache } = record;
  return {
    // A wait for the call of another question is none.
    api_call_time: seconds(connection ? timings.model : 0),
    total_time: seconds(performance.now() - record.startedAt),
    // No model call of its own: a hit, the call of another question, or a stored answer.
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
    tokens: reportTokens(record.tokens, record.saved),
    ...reportCost(prices, record.tokens, record.saved),
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

/** Milliseconds to seconds, to the microsecond. */
const seconds = (ms: number): number => Math.round(1000 * ms) / 1e6;

/** 0 to 100, to two places; 0 of nothing is 0. */
const percentage = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.round((10_000 * part) / whole) / 100;
