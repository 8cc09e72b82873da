/**
 * An expired answer in place of one that the model does not give: `stale-if-error` of RFC 5861. Rejected: the answer of the
 * model after the expired one, which would be a second answer to one question.
 */
import type { ExpiredAnswer } from '../cache/answer-cache.ts';
import { ageOf, type CachedAnswer, type TierName } from '../cache/cache-tier.ts';
import { AskError, errors } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/responses.ts';
import { noteAnswer, type QuestionRecord } from '../telemetry/question-record.ts';
import type { CachePlace, FinderParts } from './model-call.ts';
import type { AskContext } from './question.ts';

/**
 * The model fails, is silent, or cannot be called. Not among them: a shutdown and a full quota, where a retry helps; faults of
 * the storage; and what the question itself has caused.
 */
const FAULTS: ReadonlySet<ErrorCode> = new Set([
  'model_unavailable',
  'model_misconfigured',
  'circuit_open',
  'busy',
  'timeout',
]);

/** The end of the time limit that is left for giving and storing the expired answer: a share of it, and at most so long. */
const RESERVED_SHARE = 0.1;
const MAX_RESERVED_MS = 2000;

/** Gives the text of `ask`, or that of the expired answer when the model fails before any text. @throws as `ask`. */
export async function askOrExpired(
  { config, counters }: FinderParts,
  { expired, place }: { expired: ExpiredAnswer; place: CachePlace },
  context: AskContext,
  ask: (context: AskContext) => Promise<string>,
): Promise<string> {
  const { record, onText } = context;
  const { requestTimeoutMs } = config;
  const deadline = context.deadline - Math.min(MAX_RESERVED_MS, RESERVED_SHARE * requestTimeoutMs);
  const early = new AbortController();
  const timeOut = () => early.abort(errors.timeout(requestTimeoutMs / 1000));
  const timer = setTimeout(timeOut, Math.max(0, deadline - performance.now()));
  let hasText = false;
  const onFirstText = (text: string): void => {
    hasText = true;
    onText?.(text);
  };
  try {
    const signal = AbortSignal.any([context.signal, early.signal]);
    return await ask({ ...context, signal, deadline, onText: onText && onFirstText });
  } catch (fault) {
    const isFault = fault instanceof AskError && FAULTS.has(fault.code);
    if (!isFault || hasText || !(await isUsable(expired, place))) throw fault;
    const { answer, tier } = expired;
    record.cache.result = 'stale';
    record.cache.stale = { fault, tokens: answer.tokens };
    counters.countStale();
    return giveCached(answer, tier, record, onText);
  } finally {
    clearTimeout(timer);
  }
}

/** It may have become too old during the model call, or the cache may have been cleared. */
const isUsable = async (
  { usableUntil }: ExpiredAnswer,
  { cache, generation }: CachePlace,
): Promise<boolean> => Date.now() < usableUntil && (await cache.generation()) === generation;

/** Gives the text of a cached answer, and records what is known of it. */
export function giveCached(
  answer: CachedAnswer,
  tier: TierName,
  record: QuestionRecord,
  onText: AskContext['onText'],
): string {
  record.cache.tier = tier;
  record.cache.ageMs = ageOf(answer);
  noteAnswer(record, answer);
  onText?.(answer.text);
  return answer.text;
}
