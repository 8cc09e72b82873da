/** A finished request of the Model Context Protocol, as the log, the traces and the metrics report it. */
import type { FinishedQuestion } from './finished-question.ts';

/**
 * The outcome of a request. `tool_error`: the tool ran and reported an error. `left`: the caller disconnected or
 * cancelled the request. A number is the code of a JSON-RPC error.
 */
export type McpOutcome = 'ok' | 'tool_error' | 'left' | number;

/** A finished request. Times by `performance.now()`. */
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
