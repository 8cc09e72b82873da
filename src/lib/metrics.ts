/** What is measured: one record for each question, and the counters of this process. */
import { randomUUID } from 'node:crypto';
import type { Tier } from './answer-cache.ts';
import type { ConnectionRecord } from './connection-record.ts';

/** How the cache took part in an answer. `error`: a tier failed, and the model was asked. */
export type CacheResult = 'hit' | 'miss' | 'bypass' | 'error';

/** The parts of an answer that are timed. */
export type Phase = 'history_read' | 'cache_lookup' | 'model' | 'history_write' | 'time_to_first_token';

/** What is learned about one question while it is answered. Durations in milliseconds. */
export interface QuestionRecord {
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  invocationId: string;
  coldStart: boolean;
  timings: Record<Phase, number>;
  cache: { result: CacheResult; tier: Tier | null };
  /** The connection of the model call; null when no call was made. */
  connection: ConnectionRecord | null;
  tokens: { prompt: number; completion: number; cached: number; saved: number };
  historyAvailable: boolean;
  historySaved: boolean;
}

/** Makes the record of a question that arrived at `startedAt`. */
export function createQuestionRecord(
  startedAt: number,
  invocationId: string,
  coldStart: boolean,
): QuestionRecord {
  return {
    startedAt,
    invocationId,
    coldStart,
    timings: { history_read: 0, cache_lookup: 0, model: 0, history_write: 0, time_to_first_token: 0 },
    cache: { result: 'bypass', tier: null },
    connection: null,
    tokens: { prompt: 0, completion: 0, cached: 0, saved: 0 },
    historyAvailable: true,
    historySaved: false,
  };
}

/** Runs `work` and adds the time it took, failed or not, to a phase of `record`. */
export async function timed<T>(record: QuestionRecord, phase: Phase, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    record.timings[phase] += performance.now() - startedAt;
  }
}

/** The counters of this process, from its start. */
export interface ProcessMetrics {
  /** True for the first caller only: the first POST /ask of this process. */
  takeColdStart(): boolean;
  /** Counts a cache lookup that ended in a hit or a miss. */
  countLookup(hit: boolean): void;
  /** Counts a model call that was answered, and how its connection came to be. */
  countModelCall(durationMs: number, reused: boolean): void;
  /** Whether the newest model call was answered; null before the first. */
  modelState: 'ok' | 'failing' | null;
  /** The metrics of an answer finished now. All times in seconds. */
  report(record: QuestionRecord, openConnections: number): PerformanceMetrics;
}

/** `performance_metrics` of an answer. All times in seconds. */
export type PerformanceMetrics = ReturnType<typeof toPerformanceMetrics>;

interface Counters {
  instanceId: string;
  lookups: number;
  hits: number;
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}

/** Starts counting. */
export function createProcessMetrics(): ProcessMetrics {
  const counters: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  return {
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(hit) {
      counters.lookups++;
      if (hit) counters.hits++;
    },
    countModelCall(durationMs, reused) {
      counters.modelCalls++;
      counters.modelCallsMs += durationMs;
      if (reused) counters.reusedConnections++;
    },
    report: (record, openConnections) => toPerformanceMetrics(record, counters, openConnections),
  };
}

function toPerformanceMetrics(record: QuestionRecord, counters: Counters, openConnections: number) {
  const { connection, timings, cache } = record;
  return {
    api_call_time: seconds(timings.model),
    total_time: seconds(performance.now() - record.startedAt),
    from_cache: cache.result === 'hit',
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
    tokens: record.tokens,
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
