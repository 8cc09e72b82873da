/** Calls the model for a question that may be cached, or waits for another instance that does. */
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config/config.ts';
import { addStep, type QuestionRecord } from '../telemetry/question-record.ts';
import type { Completion, Message, ModelTarget } from '../model/completion.ts';
import { completeFitting, type ModelCallParts } from './model-call.ts';
import type { AskContext, Question } from './question.ts';
import { takeTurn, type Turn } from './shared-call.ts';

/** What an answer finder needs. */
export interface FinderParts extends ModelCallParts {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  config: Config;
}

/** The place of a question's answer in the cache. */
export interface CachePlace {
  cache: AnswerCache;
  key: string;
  /** The deployment and the parameters of `key`. */
  target: ModelTarget;
  /** Gives the key for another deployment or other parameters. */
  keyFor: (target: ModelTarget) => string;
}

/** The answer of a model call that several questions share. */
export type SharedAnswer = Pick<Completion, 'text' | 'tokens'> & { model?: string | undefined };

/** A question that may share its answer. */
export interface Shareable {
  question: Question;
  prompt: Message[];
  place: CachePlace;
}

/** Part of a question's time limit for waiting for another instance: an own model call must fit after it. */
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
    const completion = await completeFitting(parts, prompt, context);
    if (completion.finishReason === 'stop' && !completion.historyDropped) {
      // A parameter may have been refused, or a fallback deployment may have answered: the key has to match the call
      // that succeeded.
      stored = cache.store(completion.target === target ? key : keyFor(completion.target), completion);
    }
    return completion;
  } finally {
    // Not before the answer is stored: other instances then find it, or take over.
    void stored.then(() => turn.lease?.release());
  }
}

/** Whose turn it is to ask, among all instances. Without a tier that they share, it is ours. */
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
  // As for a question of this process that waits for another one. A vain wait was a search in the cache.
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
  record.model = answer.model ?? null;
  counters.countCoalesced(record.tokensSaved);
}
