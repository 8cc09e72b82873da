/** The log lines of questions and of requests of the Model Context Protocol. They contain no text, user or session id. */
import { sessionPartition } from '../history/row-keys.ts';
import { seconds } from './performance-metrics.ts';
import type { Invocation } from '../common/log.ts';
import { type FinishedMcpRequest, type FinishedQuestion, outcomeName } from './finished.ts';

/** The id of the trace in a `traceparent`, which is VERSION-TRACE-SPAN-FLAGS. */
const traceIdOf = (traceParent: string | undefined): string | undefined => traceParent?.split('-')[1];

/** Writes the line of a question, as JSON with times in seconds. */
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

/** Writes the line of a request, as JSON with the time in seconds. A question has a line of its own. */
export function logMcpRequest(log: Invocation['log'], finished: FinishedMcpRequest): void {
  const { method, target, outcome, protocolVersion, invocationId, startedAt, endedAt } = finished;
  const trace = traceIdOf(finished.traceParent);
  log.info(
    JSON.stringify({
      event: 'mcp_request',
      method,
      ...(target !== undefined && { target }),
      outcome,
      invocation: invocationId,
      ...(trace !== undefined && { trace }),
      ...(protocolVersion !== undefined && { protocol_version: protocolVersion }),
      total_time: seconds(endedAt - startedAt),
    }),
  );
}
