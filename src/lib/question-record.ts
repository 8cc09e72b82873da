/** What is learned about one question while it is answered. */
import type { TierName } from './cache-tier.ts';
import type { TokenUsage } from './chat-model.ts';
import type { ConnectionRecord } from './connection-record.ts';

/**
 * How the cache took part in an answer. `coalesced`: another question's model call served this one too; `bypass`: the
 * cache was not asked; `error`: a tier failed and none had it.
 */
export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'bypass' | 'error';

/** The parts of an answer that are timed. */
export type Phase = 'history_read' | 'cache_lookup' | 'model' | 'history_write' | 'time_to_first_token';

/** What is learned about one question while it is answered. Durations in milliseconds. */
export interface QuestionRecord {
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  invocationId: string;
  coldStart: boolean;
  timings: Record<Phase, number>;
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
    cache: { result: 'bypass', tier: null, ageMs: 0 },
    connection: null,
    tokens: { prompt: 0, completion: 0, cached: 0 },
    saved: { prompt: 0, completion: 0, cached: 0 },
    historyAvailable: true,
    historySaved: false,
    replayed: false,
  };
}

/** Runs `work` and adds the time it took, failed or not, to a phase of `record`. */
export async function timed<T>(record: QuestionRecord, phase: Phase, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    record.timings[phase] += performance.now() - startedAt;
  }
}
