/** A model call for one question: recorded, counted, and repeated with less history when the prompt is too long. */
import type { QuestionContext } from './question.ts';
import type { Completion, Message } from '../model/completion.ts';
import { createConnectionRecord } from '../pool/connection-record.ts';
import { dropOlderHalf } from './context-window.ts';
import { AskError } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { addTokens } from '../metrics/tokens.ts';
import { beginCall, type CallRecord, timed } from '../metrics/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';

/** What a model call needs. */
export interface CallOptions {
  model: ResilientModel;
  metrics: ProcessMetrics;
  record: QuestionContext['record'];
  requestTimeoutMs: number;
  promptCacheKey: string;
  /** Ask the model for a stream. */
  streamed: boolean;
  /** Aborts the call. */
  signal: AbortSignal;
  /** Called with each piece of the text when `streamed`. */
  onToken: (text: string) => void;
}

/** A completion, and whether part of the chat history was dropped from its prompt. */
export type FittingCompletion = Completion & { historyDropped: boolean };

/**
 * Calls the model. While the model refuses the prompt as too long, drops the older half of the chat history and repeats
 * the call.
 * @throws AskError when there is no answer.
 */
export async function completeFitting(prompt: Message[], options: CallOptions): Promise<FittingCompletion> {
  for (let sent = prompt; ;) {
    try {
      return { ...(await callModel(sent, options)), historyDropped: sent !== prompt };
    } catch (error) {
      const isTooLong = error instanceof AskError && error.code === 'conversation_too_long';
      const shorter = isTooLong ? dropOlderHalf(sent) : null;
      if (!shorter) throw error;
      sent = shorter;
    }
  }
}

async function callModel(prompt: Message[], options: CallOptions): Promise<Completion> {
  const { model, metrics, record, promptCacheKey, requestTimeoutMs, streamed, signal, onToken } = options;
  const connection = createConnectionRecord();
  const call = beginCall(prompt, connection, streamed);
  const onStreamedText = (text: string): void => {
    call.firstTokenAt ??= performance.now();
    onToken(text);
  };
  try {
    const deadline = record.startedAt + requestTimeoutMs;
    const onCompletion = (completion: Completion): void => {
      call.completion = completion;
      addTokens(call.tokens, completion.tokens);
      call.usages.push(completion.tokens);
      record.model = completion.model ?? null;
    };
    const onText = streamed ? onStreamedText : undefined;
    return await timed(record, 'model', () =>
      model.complete(prompt, {
        promptCacheKey,
        record: connection,
        signal,
        deadline,
        onToken: onText,
        onCompletion,
      }),
    );
  } catch (error) {
    call.error = error instanceof AskError ? error.code : error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    call.endedAt = performance.now();
    finishCall(call, record, metrics);
  }
}

/** Errors that the question caused: the model works and has answered with a refusal. */
const REFUSALS = new Set(['content_filtered', 'conversation_too_long', 'output_limit_reached']);
/** Errors after which the model counts as failing. */
const FAULTS = new Set(['model_unavailable', 'model_misconfigured', 'circuit_open', 'timeout']);

/** Records and counts a call, unless no request was sent: refused by the circuit breaker, or aborted while queued. */
function finishCall(call: CallRecord, record: QuestionContext['record'], metrics: ProcessMetrics): void {
  const { connection, error, tokens, usages } = call;
  if (error === 'circuit_open') metrics.modelState = 'failing';
  if (connection.attempts === 0) return;
  record.calls.push(call);
  record.connection = connection;
  addTokens(record.tokens, tokens);
  for (const usage of usages) metrics.countTokens(usage);
  const isAnswered = error === null || REFUSALS.has(error);
  if (isAnswered) metrics.countModelCall((call.endedAt ?? 0) - call.startedAt, connection.reused);
  if (isAnswered) metrics.modelState = 'ok';
  else if (FAULTS.has(error)) metrics.modelState = 'failing';
}
