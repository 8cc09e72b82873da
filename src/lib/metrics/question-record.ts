/** What is learned about one question while it is answered. */
import type { TierName } from '../cache/cache-tier.ts';
import { noTokens } from './tokens.ts';
import type { Completion, TokenUsage } from '../model/completion.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import type { Message } from '../model/completion.ts';

/**
 * How the cache took part in an answer. `coalesced`: another question's model call served this one too; `bypass`: the
 * cache was not asked; `error`: a tier failed and none had it.
 */
export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'bypass' | 'error';

/** The parts of an answer that are timed. */
export type Phase = 'history_read' | 'cache_lookup' | 'model' | 'history_write' | 'time_to_first_token';

/** One piece of the work on a question; times on the clock of `performance.now()`. */
export interface Step {
  phase: Phase;
  startedAt: number;
  endedAt: number;
  failed: boolean;
}

/** One call of the model; times on the clock of `performance.now()`. */
export interface CallRecord {
  prompt: Message[];
  streamed: boolean;
  connection: ConnectionRecord;
  startedAt: number;
  firstTokenAt: number | null;
  /** Null while it is under way, as are the next two. */
  endedAt: number | null;
  completion: Completion | null;
  /** Of all its completions: one that is no answer is paid for, too. */
  tokens: TokenUsage;
  /** What became of it when there is no completion: the code of an error, or the name of what ended it. */
  error: string | null;
}

/** What is learned about one question while it is answered. Durations in milliseconds. */
export interface QuestionRecord {
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  invocationId: string;
  coldStart: boolean;
  timings: Record<Phase, number>;
  /** What was timed, in the order in which it ended. */
  steps: Step[];
  /** Those that this question made itself. */
  calls: CallRecord[];
  /** `ageMs` is that of a hit. */
  cache: { result: CacheResult; tier: TierName | null; ageMs: number };
  /** The connection of the model call; null when no call was made. */
  connection: ConnectionRecord | null;
  /** Of the model call that this question made. */
  tokens: TokenUsage;
  /** Of the model call that it was spared. */
  saved: TokenUsage;
  historyAvailable: boolean;
  historySaved: boolean;
  /** It is the stored answer to the same question, sent before with the same Idempotency-Key. */
  replayed: boolean;
}

/** Makes the record of a question that arrived at `startedAt`. */
export function createQuestionRecord(
  startedAt: number,
  invocationId: string,
  coldStart: boolean,
): QuestionRecord {
  return {
    startedAt,
    invocationId,
    coldStart,
    timings: { history_read: 0, cache_lookup: 0, model: 0, history_write: 0, time_to_first_token: 0 },
    steps: [],
    calls: [],
    cache: { result: 'bypass', tier: null, ageMs: 0 },
    connection: null,
    tokens: noTokens(),
    saved: noTokens(),
    historyAvailable: true,
    historySaved: false,
    replayed: false,
  };
}

/** Makes the record of a call that begins now. */
export const beginCall = (
  prompt: Message[],
  connection: ConnectionRecord,
  streamed: boolean,
): CallRecord => ({
  prompt,
  streamed,
  connection,
  startedAt: performance.now(),
  firstTokenAt: null,
  endedAt: null,
  completion: null,
  tokens: noTokens(),
  error: null,
});

/** Notes that the first text for the caller is there; later texts change nothing. */
export function markFirstToken(record: QuestionRecord): void {
  record.timings.time_to_first_token ||= performance.now() - record.startedAt;
}

/** Runs `work` and adds the time it took, failed or not, to a phase of `record`. */
export async function timed<T>(record: QuestionRecord, phase: Phase, work: () => Promise<T>): Promise<T> {
  const step: Step = { phase, startedAt: performance.now(), endedAt: 0, failed: true };
  try {
    const result = await work();
    step.failed = false;
    return result;
  } finally {
    step.endedAt = performance.now();
    record.timings[phase] += step.endedAt - step.startedAt;
    record.steps.push(step);
  }
}
