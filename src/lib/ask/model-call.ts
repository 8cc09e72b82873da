/**
 * The model call of a question: recorded, repeated with less history when the prompt is too long, or left to another
 * instance with an identical question.
 */
import {
  addTokens,
  beginCall,
  type CallRecord,
  type Completion,
  type Message,
  type ModelTarget,
} from '../model/completion.ts';
import { dropOlderHalf } from './prompt.ts';
import { AskError } from '../contract/errors.ts';
import type { ProcessCounters } from '../telemetry/process-counters.ts';
import {
  addStep,
  type AnswerNotes,
  noteAnswer,
  type QuestionRecord,
  timed,
} from '../telemetry/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config/config.ts';
import type { AskContext, Question } from './question.ts';
import { takeTurn, type Turn } from './shared-call.ts';

/** What a model call needs. */
export interface ModelCallParts {
  model: ResilientModel;
  counters: ProcessCounters;
}

/** A completion, and whether part of the chat history was dropped from its prompt. */
export type FittingCompletion = Completion & { historyDropped: boolean };

/**
 * Calls the model. While the model refuses the prompt as too long, drops the older half of the chat history and repeats
 * the call. A prompt of the caller's is never changed.
 * @throws AskError when there is no answer.
 */
export async function completeFitting(
  parts: ModelCallParts,
  { question, prompt }: Omit<Shareable, 'place'>,
  context: AskContext,
): Promise<FittingCompletion> {
  for (let sent = prompt; ;) {
    try {
      return { ...(await callModel(parts, sent, context)), historyDropped: sent !== prompt };
    } catch (error) {
      const isTooLong = error instanceof AskError && error.code === 'conversation_too_long';
      const shorter = isTooLong && !question.prompt ? dropOlderHalf(sent) : null;
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
  // A stream begins while the call is running.
  record.connection = call.connection;
  try {
    return await timed(record, 'model', () => model.complete(call, context));
  } catch (error) {
    call.error = error instanceof AskError ? error.code : error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    call.endedAt = performance.now();
    if (call.completion) noteAnswer(record, call.completion);
    finishCall(call, record, counters);
  }
}

/** Errors that the question caused: the model works and has answered with a refusal. */
const REFUSALS = new Set([
  'content_filtered',
  'conversation_too_long',
  'output_limit_reached',
  'unsupported_parameter',
]);
/** Errors after which the model counts as failing. */
const FAULTS = new Set(['model_unavailable', 'model_misconfigured', 'circuit_open', 'timeout']);

/** Records and counts a call, unless no request was sent: refused by the circuit breaker, or aborted while queued. */
function finishCall(call: CallRecord, record: AskContext['record'], counters: ProcessCounters): void {
  const { connection, error, tokens, usages } = call;
  if (error === 'circuit_open') counters.modelState = 'failing';
  if (connection.attempts > 0) record.calls.push(call);
  record.connection = record.calls.at(-1)?.connection ?? null;
  if (connection.attempts === 0) return;
  addTokens(record.tokens, tokens);
  for (const usage of usages) counters.countTokens(usage);
  const isAnswered = error === null || REFUSALS.has(error);
  if (isAnswered) counters.countModelCall((call.endedAt ?? 0) - call.startedAt, connection.reused);
  if (isAnswered) counters.modelState = 'ok';
  else if (FAULTS.has(error)) counters.modelState = 'failing';
}

/** What an answer finder needs. */
export interface FinderParts extends ModelCallParts {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  config: Config;
}

/** The place of a question's answer in the cache. */
export interface CachePlace {
  cache: AnswerCache;
  /** The generation of the cache when the question arrived. */
  generation: number;
  key: string;
  /** The deployment and the parameters of `key`. */
  target: ModelTarget;
  /** Gives the key for another deployment or other parameters. */
  keyFor: (target: ModelTarget) => string;
}

/** The answer of a model call that several questions share. */
export type SharedAnswer = Pick<Completion, 'text' | 'tokens'> & AnswerNotes;

/** A question that may share its answer. */
export interface Shareable {
  question: Question;
  prompt: Message[];
  place: CachePlace;
}

/** Part of a question's time limit for waiting for another instance. It leaves time for our own model call. */
const WAIT_SHARE = 0.5;

/** Waits for the answer of another instance that asks the same, or calls the model and stores the answer. */
export async function askOrWait(
  parts: FinderParts,
  { question, prompt, place }: Shareable,
  context: AskContext,
): Promise<SharedAnswer> {
  const { cache, key, keyFor, target } = place;
  const turn = await turnOf(parts, question, place, context);
  if (turn.answer !== null) {
    context.onText?.(turn.answer.text);
    return turn.answer;
  }
  let stored: Promise<void> = Promise.resolve();
  try {
    const completion = await completeFitting(parts, { question, prompt }, context);
    if (completion.finishReason === 'stop' && !completion.historyDropped) {
      // A parameter may have been refused, or a fallback deployment may have answered: the key has to match the call
      // that succeeded.
      const storedKey = completion.target === target ? key : keyFor(completion.target);
      const endpoint = context.record.connection?.endpoint ?? 0;
      stored = cache.store(storedKey, { ...completion, endpoint });
    }
    return completion;
  } finally {
    // Not before the answer is stored: other instances then find it, or take over.
    void stored.then(() => turn.lease?.release());
  }
}

/** Decides whether this instance calls the model or waits for another one. Without a shared tier, it calls. */
async function turnOf(
  parts: FinderParts,
  { cacheControl: { noCache, maxAgeMs } }: Question,
  { cache, key }: CachePlace,
  { record, signal }: AskContext,
): Promise<Turn> {
  const { leases } = cache;
  // An answer that another instance is about to store may be too old for these directives.
  if (!leases?.isUsable() || noCache || maxAgeMs !== Infinity) return { answer: null, lease: null };
  const startedAt = performance.now();
  const waitMs = parts.config.requestTimeoutMs * WAIT_SHARE;
  const turn = await takeTurn({ cache, leases, key, waitMs, signal });
  // Counts as `model` if it brought an answer, else as `cache_lookup`.
  addStep(record, turn.answer ? 'model' : 'cache_lookup', startedAt);
  if (turn.answer) {
    record.cache.result = 'coalesced';
    countCoalesced(parts, record, turn.answer);
  }
  return turn;
}

/** Records that a question shares the answer of another question's model call. */
export function countCoalesced(
  { counters }: FinderParts,
  record: QuestionRecord,
  answer: SharedAnswer,
): void {
  record.tokensSaved = answer.tokens;
  noteAnswer(record, answer);
  counters.countCoalesced(record.tokensSaved);
}
