/** A call of the model for one question: recorded, counted, and made again with less history when that is too long. */
import type { QuestionContext } from './question.ts';
import type { Completion } from '../model/completion.ts';
import { createConnectionRecord } from '../pool/connection-record.ts';
import { dropOlderHalf } from './context-window.ts';
import { AskError } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { addTokens } from '../metrics/tokens.ts';
import { beginCall, type CallRecord, timed } from '../metrics/question-record.ts';
import type { Message } from '../model/completion.ts';
import type { ResilientModel } from '../model/resilient-model.ts';

/** What a call needs. */
export interface CallOptions {
  model: ResilientModel;
  metrics: ProcessMetrics;
  record: QuestionContext['record'];
  requestTimeoutMs: number;
  /** The answer comes as a stream. */
  streamed: boolean;
  /** Ends the call. */
  signal: AbortSignal;
  /** Is given the text as it comes, of a stream. */
  onToken: (text: string) => void;
}

/** A completion, and whether it answers less than the whole prompt. */
export type FittingCompletion = Completion & { historyDropped: boolean };

/**
 * Asks the model, and again with the newer half of the chat history as long as it says that this is too long.
 * @throws AskError when there is no answer.
 */
export async function askFitting(prompt: Message[], options: CallOptions): Promise<FittingCompletion> {
  for (let sent = prompt; ;) {
    try {
      return { ...(await askModel(sent, options)), historyDropped: sent !== prompt };
    } catch (error) {
      const isTooLong = error instanceof AskError && error.code === 'conversation_too_long';
      const shorter = isTooLong ? dropOlderHalf(sent) : null;
      if (!shorter) throw error;
      sent = shorter;
    }
  }
}

async function askModel(prompt: Message[], options: CallOptions): Promise<Completion> {
  const { model, metrics, record, requestTimeoutMs, streamed, signal, onToken } = options;
  const connection = createConnectionRecord();
  const call = beginCall(prompt, connection, streamed);
  const onFirst = (text: string): void => {
    call.firstTokenAt ??= performance.now();
    onToken(text);
  };
  try {
    const deadline = record.startedAt + requestTimeoutMs;
    const onCompletion = (completion: Completion): void => {
      call.completion = completion;
      addTokens(call.tokens, completion.tokens);
    };
    const onText = streamed ? onFirst : undefined;
    return await timed(record, 'model', () =>
      model.complete(prompt, { record: connection, signal, deadline, onToken: onText, onCompletion }),
    );
  } catch (error) {
    call.error = error instanceof AskError ? error.code : error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    call.endedAt = performance.now();
    finishCall(call, record, metrics);
  }
}

/** What the model refused to answer, for a reason that lies in the question: a call that was answered all the same. */
const ANSWERED = new Set(['content_filtered', 'conversation_too_long', 'output_limit_reached']);
/** What says that the model cannot be used. A deadline does when the model was asked. */
const FAULTS = new Set(['model_unavailable', 'model_misconfigured', 'circuit_open', 'timeout']);

/** A call that was refused before it was made, or that ended while it waited for its turn, is none. */
function finishCall(call: CallRecord, record: QuestionContext['record'], metrics: ProcessMetrics): void {
  const { connection, error, tokens } = call;
  if (error === 'circuit_open') metrics.modelState = 'failing';
  if (connection.attempts === 0) return;
  record.calls.push(call);
  record.connection = connection;
  addTokens(record.tokens, tokens);
  metrics.countTokens(tokens);
  const isAnswered = error === null || ANSWERED.has(error);
  if (isAnswered) metrics.countModelCall((call.endedAt ?? 0) - call.startedAt, connection.reused);
  if (isAnswered) metrics.modelState = 'ok';
  else if (FAULTS.has(error)) metrics.modelState = 'failing';
}
