/** The second stage of the performance test: computes statistics. Times in seconds. */
import type { Run, Sample } from './measure.ts';

/** The fewest times from which a percentile is computed: of fewer, it would be the slowest time. */
export const MIN_TIMES = { p95: 20, p99: 100 } as const;

/** Summary of times in seconds. Percentiles are measured times (nearest rank). */
export interface Summary {
  count: number;
  min: number;
  mean: number;
  p50: number;
  /** null when there are fewer than {@link MIN_TIMES}. */
  p95: number | null;
  p99: number | null;
  max: number;
}

/** A share of a total; `rate` is 0 to 1. */
export interface Share {
  count: number;
  of: number;
  rate: number;
}

/** The statistics of a run. A value is null when nothing was measured for it. */
export interface Statistics {
  requests: number;
  answered: number;
  /** Number of failures by error. */
  errors: Record<string, number>;
  requests_per_second: number;
  /**
   * This value and those below cover answered requests only. Null when some answers were cached and others were not: a
   * percentile of both would be the time of neither.
   */
  client_time: Summary | null;
  /** Without answers that needed no model call. */
  model_time: Summary | null;
  /** Of uncached answers. */
  time_to_first_token: Summary | null;
  /** Answers from the cache, as a share of the requests that could use it. */
  cache_hits: Share | null;
  /** Model calls on a connection that was already open. */
  connection_reuse: Share | null;
  /** Client times of uncached answers: the first question of a process, and later questions. */
  cold: Summary | null;
  warm: Summary | null;
  /** Client times. */
  cached: Summary | null;
  uncached: Summary | null;
}

/** Computes the statistics of a run. */
export function computeStatistics({ requests, duration }: Run): Statistics {
  const answered = requests.filter(({ error }) => error === null);
  const clientTimes = (which: (sample: Sample) => boolean): Summary | null =>
    summarize(answered.filter(which).map((sample) => sample.client_time));
  const cachable = answered.filter(({ cache }) => cache === 'cached');
  const modelCalls = answered.filter(({ kind }) => kind !== 'cached');
  const isMixed = modelCalls.length > 0 && modelCalls.length < answered.length;
  return {
    requests: requests.length,
    answered: answered.length,
    errors: countErrors(requests),
    requests_per_second: duration > 0 ? requests.length / duration : 0,
    client_time: isMixed ? null : clientTimes(() => true),
    model_time: summarize(answered.map(({ model_time: time }) => time)),
    time_to_first_token: summarize(modelCalls.map(({ time_to_first_token: time }) => time)),
    cache_hits: share(cachable, ({ kind }) => kind === 'cached'),
    connection_reuse: share(modelCalls, (sample) => sample.connection_reused),
    cold: clientTimes(({ kind }) => kind === 'cold'),
    warm: clientTimes(({ kind }) => kind === 'new' || kind === 'reused'),
    cached: clientTimes(({ kind }) => kind === 'cached'),
    uncached: clientTimes(({ kind }) => kind !== 'cached'),
  };
}

/** Summarizes the times that are not null. Returns null when there are none. */
export function summarize(measured: (number | null)[]): Summary | null {
  const times = measured.filter((time) => time !== null).toSorted((a, b) => a - b);
  const count = times.length;
  if (count === 0) return null;
  const percentile = (part: number): number => times[Math.max(0, Math.ceil(part * count) - 1)] ?? 0;
  return {
    count,
    min: percentile(0),
    mean: times.reduce((sum, time) => sum + time, 0) / count,
    p50: percentile(0.5),
    p95: count < MIN_TIMES.p95 ? null : percentile(0.95),
    p99: count < MIN_TIMES.p99 ? null : percentile(0.99),
    max: percentile(1),
  };
}

function share(samples: Sample[], which: (sample: Sample) => boolean): Share | null {
  const count = samples.filter(which).length;
  return samples.length === 0 ? null : { count, of: samples.length, rate: count / samples.length };
}

function countErrors(samples: Sample[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { error } of samples) if (error !== null) counts[error] = (counts[error] ?? 0) + 1;
  return counts;
}
