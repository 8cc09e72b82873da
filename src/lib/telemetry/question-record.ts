/** The record of a question: what is measured and observed while the question is answered. */
import type { TierName } from '../cache/cache-tier.ts';
import type { AskError } from '../contract/errors.ts';
import type { BudgetLeft, CacheReason } from '../contract/metrics.ts';
import type { FinishReason } from '../contract/responses.ts';
import { type CallRecord, noTokens, type TokenUsage } from '../model/completion.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';

/**
 * How the cache took part in an answer. `coalesced`: the question shared the model call of an identical question;
 * `stale`: an expired answer was given, because the model did not answer; `bypass`: there was no lookup; `error`: no tier had the answer, and at least one tier failed.
 */
export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'stale' | 'bypass' | 'error';

/** The parts of an answer that are timed. */
export type Phase = 'history_read' | 'cache_lookup' | 'model' | 'history_write' | 'time_to_first_token';

/** One execution of a phase. Times by `performance.now()`. */
export interface Step {
  phase: Phase;
  startedAt: number;
  endedAt: number;
  failed: boolean;
}

/** How the cache took part. */
export interface CacheUse {
  result: CacheResult;
  /** The tier that had the answer; null when no cached answer was given. */
  tier: TierName | null;
  ageMs: number;
  /** Why there was no hit. */
  reason?: CacheReason | undefined;
  /** Why an expired answer was given, and the tokens of its model call. Nothing was saved. */
  stale?: { fault: AskError; tokens: TokenUsage };
}

/** The record of one question. Durations in milliseconds. */
export interface QuestionRecord {
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  /** The same time, in milliseconds since 1970. */
  arrivedAt: number;
  invocationId: string;
  coldStart: boolean;
  timings: Record<Phase, number>;
  /** The timed steps, in the order in which they ended. */
  steps: Step[];
  /** The question's own model calls: more than one when the prompt was too long. */
  calls: CallRecord[];
  cache: CacheUse;
  /** The connection of the last model call; null when no call was made. */
  connection: ConnectionRecord | null;
  /** Tokens of the question's own model calls. */
  tokens: TokenUsage;
  /** Tokens of the model call that the cache, or an identical question in flight, made unnecessary. */
  tokensSaved: TokenUsage;
  /** Name and version of the model that the answer is from; null when it gave none. */
  model: string | null;
  /** Undefined when no budget is set. */
  budget?: { readonly left: BudgetLeft | undefined } | undefined;
  /** Why the text ends; null without an answer, and for a replayed or stopped one. */
  finishReason: FinishReason | null;
  historyAvailable: boolean;
  historySaved: boolean;
  /** The answer was stored by an earlier request with the same Idempotency-Key. */
  replayed: boolean;
  /** The answer was stopped. */
  stopped: boolean;
}

/** Creates the record of a question that arrived at `startedAt` (by `performance.now()`). */
export function createQuestionRecord(
  startedAt: number,
  invocationId: string,
  coldStart: boolean,
): QuestionRecord {
  return {
    startedAt,
    arrivedAt: Math.round(Date.now() - (performance.now() - startedAt)),
    invocationId,
    coldStart,
    timings: { history_read: 0, cache_lookup: 0, model: 0, history_write: 0, time_to_first_token: 0 },
    steps: [],
    calls: [],
    cache: { result: 'bypass', tier: null, ageMs: 0 },
    connection: null,
    tokens: noTokens(),
    tokensSaved: noTokens(),
    model: null,
    finishReason: null,
    historyAvailable: true,
    historySaved: false,
    replayed: false,
    stopped: false,
  };
}

const NAMED_REASONS: readonly FinishReason[] = ['stop', 'length', 'refusal'];

/** What is known of an answer beside its text. Cached answers have no reason: only complete ones are cached. */
export interface AnswerNotes {
  model?: string | undefined;
  finishReason?: string;
}

/** Records which model an answer is from, and why its text ends. */
export function noteAnswer(record: QuestionRecord, { model, finishReason = 'stop' }: AnswerNotes): void {
  record.model = model ?? null;
  record.finishReason = NAMED_REASONS.find((reason) => reason === finishReason) ?? 'other';
}

/** Records the time to first token. Calls after the first have no effect. */
export function markFirstToken(record: QuestionRecord): void {
  record.timings.time_to_first_token ||= performance.now() - record.startedAt;
}

/** Adds a step that ends now to a phase of `record`. */
export function addStep(record: QuestionRecord, phase: Phase, startedAt: number, failed = false): void {
  const step: Step = { phase, startedAt, endedAt: performance.now(), failed };
  record.timings[phase] += step.endedAt - startedAt;
  record.steps.push(step);
}

/** Runs `work`, and adds its duration to a phase of `record`, even when `work` fails. */
export async function timed<T>(record: QuestionRecord, phase: Phase, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  let failed = true;
  try {
    const result = await work();
    failed = false;
    return result;
  } finally {
    addStep(record, phase, startedAt, failed);
  }
}
