/** What is reported of a question, and of a request of the Model Context Protocol, when it is over. */
import type { AskError } from '../contract/errors.ts';
import type { PerformanceMetrics } from '../contract/metrics.ts';
import type { SessionKey } from '../history/row-keys.ts';
import type { QuestionRecord } from './question-record.ts';

/** The outcome of a question. `left`: the caller disconnected before the whole answer was sent. */
export type Outcome = 'answered' | 'left' | AskError;

/** A finished question with its record. */
export interface FinishedQuestion {
  outcome: Outcome;
  record: QuestionRecord;
  /** Undefined when the request had no valid question. */
  question: { session: SessionKey; streamed: boolean } | undefined;
  metrics: PerformanceMetrics;
  /** `traceparent` of the host's trace: w3.org/TR/trace-context */
  traceParent: string | undefined;
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
