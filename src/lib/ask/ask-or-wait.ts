/** Calls the model for a question that may be cached, or waits for another instance that does. */
import { addStep, type QuestionRecord } from '../metrics/question-record.ts';
import type { CachePlan, FinderParts, Lookup, SharedAnswer } from './lookup.ts';
import { type CallOptions, completeFitting } from './model-call.ts';
import { promptCacheKeyOf } from './prompt.ts';
import { takeTurn, type Turn } from './shared-call.ts';
import type { FlightWork } from './single-flight.ts';

/** Part of a question's time limit for waiting for another instance: an own model call must fit after it. */
const WAIT_SHARE = 0.5;

/** Waits for the answer of another instance that asks the same, or calls the model and stores the answer. */
export function askOrWait(parts: FinderParts, lookup: Lookup, plan: CachePlan): FlightWork<SharedAnswer> {
  const { cache, key, keyFor, target } = plan;
  return async (abort, onText) => {
    const turn = await turnOf(parts, lookup, plan, abort);
    if (turn.answer !== null) {
      onText(turn.answer.text);
      return turn.answer;
    }
    let stored: Promise<void> = Promise.resolve();
    try {
      const completion = await completeFitting(lookup.prompt, callOptions(parts, lookup, abort, onText));
      if (completion.finishReason === 'stop' && !completion.historyDropped) {
        // A parameter may have been refused, or a fallback deployment may have answered: the key has to match the call
        // that succeeded.
        const storedKey = completion.target === target ? key : keyFor(completion.target);
        const endpoint = lookup.context.record.connection?.endpoint ?? 0;
        stored = cache.store(storedKey, { ...completion, endpoint });
      }
      return completion;
    } finally {
      // Not before the answer is stored: other instances then find it, or take over.
      void stored.then(() => turn.lease?.release());
    }
  };
}

/** Whose turn it is to ask, among all instances. Without a tier that they share, it is ours. */
async function turnOf(
  parts: FinderParts,
  { question, context: { record } }: Lookup,
  { cache, key }: CachePlan,
  signal: AbortSignal,
): Promise<Turn> {
  const { noCache, maxAgeMs } = question.cacheControl;
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
export function countCoalesced({ metrics }: FinderParts, record: QuestionRecord, answer: SharedAnswer): void {
  record.tokensSaved = answer.tokens;
  record.model = answer.model ?? null;
  metrics.countCoalesced(record.tokensSaved);
}

/** The options of a model call for a question. */
export const callOptions = (
  { model, metrics, config }: FinderParts,
  { question, context }: Lookup,
  signal: AbortSignal,
  onToken: Lookup['onToken'],
): CallOptions => ({
  model,
  metrics,
  record: context.record,
  requestTimeoutMs: config.requestTimeoutMs,
  promptCacheKey: promptCacheKeyOf(question),
  streamed: question.stream,
  signal,
  onToken,
});
