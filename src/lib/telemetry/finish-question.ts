/** The end of a question: its log line, and its data for traces and metrics. */
import type { LogLevel } from '../config/log-level.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import type { QuestionRecord } from '../metrics/question-record.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { FinishedQuestion, Outcome } from './finished-question.ts';
import { logQuestion } from './question-log.ts';
import type { Reporter } from './reporter.ts';

/** What {@link finishQuestion} needs. */
export interface FinishServices {
  metrics: ProcessMetrics;
  /** Null when the settings name no receiver of traces and metrics. */
  reporter: Reporter | null;
  config: { logLevel: LogLevel };
}

/** How a question ended. */
export interface End {
  outcome: Outcome;
  record: QuestionRecord;
  /** Undefined when the request had no valid question. */
  question: { userId: string | null; sessionId: string; stream: boolean } | undefined;
  invocation: Invocation;
}

/** Logs a finished question, and gives its data for the reporter. Null when neither log nor reporter wants it. */
export function finishQuestion(
  { metrics, reporter, config }: FinishServices,
  { outcome, record, question, invocation }: End,
  log: Invocation['log'],
): FinishedQuestion | null {
  const isLogged = config.logLevel === 'info';
  if (!reporter && !isLogged) return null;
  const finished: FinishedQuestion = {
    outcome,
    record,
    question: question && {
      session: { userId: question.userId, sessionId: question.sessionId },
      streamed: question.stream,
    },
    metrics: metrics.report(record),
    traceParent: invocation.traceParent,
  };
  if (isLogged) logQuestion(log, finished);
  return finished;
}
