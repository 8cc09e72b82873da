/** The log line of a question. It never contains the question, the answer, the user or the session id. */
import { type FinishedQuestion, outcomeName } from './finished-question.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { sessionPartition } from '../history/row-keys.ts';

/** The id of the trace in a `traceparent`, which is VERSION-TRACE-SPAN-FLAGS. */
export const traceIdOf = (traceParent: string | undefined): string | undefined => traceParent?.split('-')[1];

/** Writes the line, as JSON with times in seconds. */
export function logQuestion(log: Invocation['log'], finished: FinishedQuestion): void {
  const { outcome, question, metrics, traceParent } = finished;
  const { cache, connection } = metrics;
  const trace = traceIdOf(traceParent);
  log.info(
    JSON.stringify({
      event: 'question',
      outcome: outcomeName(outcome),
      invocation: metrics.invocation,
      ...(trace !== undefined && { trace }),
      // The partition of the session's rows in storage: a digest, from which the session id cannot be recovered.
      ...(question && { session: sessionPartition(question.session), streamed: question.streamed }),
      cache: cache.result,
      tier: cache.tier,
      ...(cache.reason && { cache_reason: cache.reason }),
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
