/** A model call for one question: recorded, counted, and repeated with less history when the prompt is too long. */
import type { AskContext } from './question.ts';
import { addTokens, beginCall, type CallRecord, type Completion, type Message } from '../model/completion.ts';
import { dropOlderHalf } from './prompt.ts';
import { AskError } from '../contract/errors.ts';
import type { ProcessCounters } from '../telemetry/process-counters.ts';
import { timed } from '../telemetry/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';

/** What a model call needs. */
export interface ModelCallParts {
  model: ResilientModel;
  counters: ProcessCounters;
}

/** A completion, and whether part of the chat history was dropped from its prompt. */
export type FittingCompletion = Completion & { historyDropped: boolean };

/**
 * Calls the model. While the model refuses the prompt as too long, drops the older half of the chat history and repeats
 * the call.
 * @throws AskError when there is no answer.
 */
export async function completeFitting(
  parts: ModelCallParts,
  prompt: Message[],
  context: AskContext,
): Promise<FittingCompletion> {
  for (let sent = prompt; ;) {
    try {
      return { ...(await callModel(parts, sent, context)), historyDropped: sent !== prompt };
    } catch (error) {
      const isTooLong = error instanceof AskError && error.code === 'conversation_too_long';
      const shorter = isTooLong ? dropOlderHalf(sent) : null;
      if (!shorter) throw error;
      sent = shorter;
    }
  }
}

async function callModel(
  { model, counters }: ModelCallParts,
  prompt: Message[],
  context: AskContext,
): Promise<Completion> {
  const { record } = context;
  const call = beginCall(prompt, context.onText !== undefined);
  try {
    return await timed(record, 'model', () => model.complete(call, context));
  } catch (error) {
    call.error = error instanceof AskError ? error.code : error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    call.endedAt = performance.now();
    if (call.completion) record.model = call.completion.model ?? null;
    finishCall(call, record, counters);
  }
}

/** Errors that the question caused: the model works and has answered with a refusal. */
const REFUSALS = new Set(['content_filtered', 'conversation_too_long', 'output_limit_reached']);
/** Errors after which the model counts as failing. */
const FAULTS = new Set(['model_unavailable', 'model_misconfigured', 'circuit_open', 'timeout']);

/** Records and counts a call, unless no request was sent: refused by the circuit breaker, or aborted while queued. */
function finishCall(call: CallRecord, record: AskContext['record'], counters: ProcessCounters): void {
  const { connection, error, tokens } = call;
  if (error === 'circuit_open') counters.modelState = 'failing';
  if (connection.attempts === 0) return;
  record.calls.push(call);
  record.connection = connection;
  addTokens(record.tokens, tokens);
  counters.countTokens(tokens);
  const isAnswered = error === null || REFUSALS.has(error);
  if (isAnswered) counters.countModelCall((call.endedAt ?? 0) - call.startedAt, connection.reused);
  if (isAnswered) counters.modelState = 'ok';
  else if (FAULTS.has(error)) counters.modelState = 'failing';
}
