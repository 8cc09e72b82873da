/** One line in the log for each question: what happened, never what was said, by whom, or in which session. */
import type { Question } from './answer-question.ts';
import type { Invocation } from './http-response.ts';
import type { PerformanceMetrics } from './contract.ts';
import { sessionPartition } from './row-keys.ts';

/** What became of a question: `answered`, `left` (by who asked it, before its answer was sent), or the code of its error. */
export type Outcome = string;

/** Writes the line, as JSON with times in seconds. `question` is absent when it could not be read. */
export function logQuestion(
  { id, traceId, log }: Invocation,
  outcome: Outcome,
  metrics: PerformanceMetrics,
  question: Question | undefined,
): void {
  const { cache, connection } = metrics;
  log.info(
    JSON.stringify({
      event: 'question',
      outcome,
      invocation: id,
      ...(traceId !== undefined && { trace: traceId }),
      // Where its rows are in storage; it cannot be turned back.
      ...(question && { session: sessionPartition(question), streamed: question.stream }),
      cache: cache.result,
      tier: cache.tier,
      connection_reused: metrics.connection_reused,
      attempts: connection?.attempts ?? 0,
      endpoint: connection?.endpoint ?? null,
      cold_start: metrics.cold_start,
      total_time: metrics.total_time,
      timings: metrics.timings,
      tokens: metrics.tokens,
      ...(metrics.cost && { cost: metrics.cost }),
      history_available: metrics.history_available,
      history_saved: metrics.history_saved,
    }),
  );
}
