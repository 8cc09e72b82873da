/** What is reported of a question, and of a request of the Model Context Protocol, when it is over; and its log line. */
import type { AskError } from '../contract/errors.ts';
import type { PerformanceMetrics } from '../contract/metrics.ts';
import { type SessionKey, sessionPartition } from '../history/session-rows.ts';
import type { QuestionRecord } from './question-record.ts';
import { seconds } from './process-counters.ts';
import type { Invocation } from '../common/log.ts';

/**
 * The outcome of a question. `left`: the caller disconnected before the whole answer was sent. `stopped`: the answer was
 * stopped.
 */
export type Outcome = 'answered' | 'stopped' | 'left' | AskError;

/** A finished question with its record. */
export interface FinishedQuestion {
  outcome: Outcome;
  record: QuestionRecord;
  /** Undefined when the request had no valid question. */
  question: FinishedQuestionFacts | undefined;
  metrics: PerformanceMetrics;
  /** `traceparent` of the host's trace: w3.org/TR/trace-context */
  traceParent: string | undefined;
}

/** What is reported of a valid question. */
export interface FinishedQuestionFacts {
  /** Null when the caller keeps the conversation. */
  session: SessionKey | null;
  streamed: boolean;
  /** The name of the caller, as the settings have it; undefined when callers have no keys. */
  caller: string | undefined;
}

/** The name of an outcome in the log and in metrics. For an error this is its code. */
export const outcomeName = (outcome: Outcome): string =>
  typeof outcome === 'string' ? outcome : outcome.code;

/**
 * The outcome of a request of the protocol. `tool_error`: the tool ran and reported an error. `left`: the caller
 * disconnected or cancelled the request. A number is the code of a JSON-RPC error.
 */
export type McpOutcome = 'ok' | 'tool_error' | 'left' | number;

/** A finished request of the protocol. Times by `performance.now()`. */
export interface FinishedMcpRequest {
  /** A method of the protocol, or `_OTHER`. */
  method: string;
  /** Name of the tool or prompt, when it exists. */
  target: string | undefined;
  /** The id that the client gave the request. */
  id: string | number;
  protocolVersion: string | undefined;
  startedAt: number;
  endedAt: number;
  outcome: McpOutcome;
  invocationId: string;
  /** The question that the request asked. */
  question: FinishedQuestion | undefined;
  /** `traceparent` of the host's trace, and of the client's: w3.org/TR/trace-context */
  traceParent: string | undefined;
  clientTraceParent: string | undefined;
}

/** The name of an outcome as the attribute `error.type`; undefined when there was no error. */
export const errorTypeOf = ({ outcome }: FinishedMcpRequest): string | undefined =>
  outcome === 'ok' || outcome === 'left' ? undefined : String(outcome);

/** The id of the trace in a `traceparent`, which is VERSION-TRACE-SPAN-FLAGS. */
const traceIdOf = (traceParent: string | undefined): string | undefined => traceParent?.split('-')[1];

/** Writes the line of a question, as JSON with times in seconds. */
export function logQuestion(log: Invocation['log'], finished: FinishedQuestion): void {
  const { outcome, record, question, metrics, traceParent } = finished;
  const { cache, connection } = metrics;
  const trace = traceIdOf(traceParent);
  log.info(
    JSON.stringify({
      event: 'question',
      outcome: outcomeName(outcome),
      invocation: metrics.invocation,
      ...(trace !== undefined && { trace }),
      // The partition of the session's rows in storage: a digest, from which the session id cannot be recovered.
      ...(question?.session && { session: sessionPartition(question.session) }),
      ...(question && { streamed: question.streamed }),
      ...(question?.caller !== undefined && { caller: question.caller }),
      cache: cache.result,
      tier: cache.tier,
      ...(cache.reason && { cache_reason: cache.reason }),
      ...(record.cache.stale && { fault: record.cache.stale.fault.code }),
      connection_reused: metrics.connection_reused,
      attempts: connection?.attempts ?? 0,
      endpoint: connection?.endpoint ?? null,
      cold_start: metrics.cold_start,
      total_time: metrics.total_time,
      timings: metrics.timings,
      finish_reason: record.finishReason,
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
