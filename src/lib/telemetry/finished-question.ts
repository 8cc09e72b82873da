/** A question that came to its end, as it is told to those who watch this app. */
import type { SessionKey } from '../history/row-keys.ts';
import type { PerformanceMetrics } from '../contract/metrics.ts';
import type { AskError } from '../contract/errors.ts';
import type { QuestionRecord } from '../metrics/question-record.ts';

/** What became of a question; `left` by who asked it, before all of its answer was sent. */
export type Outcome = 'answered' | 'left' | AskError;

/** A question and all that is known of it. */
export interface FinishedQuestion {
  outcome: Outcome;
  record: QuestionRecord;
  /** What is told of it; absent when it could not be read. */
  question: { session: SessionKey; streamed: boolean } | undefined;
  metrics: PerformanceMetrics;
  /** Of the host's trace: w3.org/TR/trace-context */
  traceParent: string | undefined;
}

/** The name of what became of a question: that of an error is its code. */
export const outcomeName = (outcome: Outcome): string =>
  typeof outcome === 'string' ? outcome : outcome.code;
