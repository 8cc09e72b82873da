/** A finished question, as the log, the traces and the metrics report it. */
import type { SessionKey } from '../history/row-keys.ts';
import type { PerformanceMetrics } from '../contract/metrics.ts';
import type { AskError } from '../contract/errors.ts';
import type { QuestionRecord } from '../metrics/question-record.ts';

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
