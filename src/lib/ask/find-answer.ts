/**
 * Finds the answer to a question: in the cache, from an identical model call in flight, here or on another instance, or
 * from a new model call.
 */
import { answerCacheKey } from '../cache/answer-cache.ts';
import { errors } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { timed } from '../metrics/question-record.ts';
import type { Message, ModelTarget } from '../model/completion.ts';
import { askOrWait, callOptions, countCoalesced } from './ask-or-wait.ts';
import type { CachePlan, FinderParts, Lookup, SharedAnswer } from './lookup.ts';
import { completeFitting } from './model-call.ts';
import { buildPrompt } from './prompt.ts';
import type { Question } from './question.ts';
import { SingleFlight } from './single-flight.ts';

/** Finds answers. Identical questions in flight share one model call. */
export interface AnswerFinder {
  /** Gives the text of the answer. @throws AskError when there is none. */
  find(lookup: Lookup): Promise<string>;
  /** Checks that the cache has an answer to a question that begins a new conversation. @throws AskError otherwise. */
  requireCached(question: Question): Promise<void>;
}

/** Creates the answer finder of this process. */
export function createAnswerFinder(parts: FinderParts): AnswerFinder {
  const { cache, model, metrics, config } = parts;
  const inFlight = new SingleFlight<SharedAnswer>();

  /** Null when the question must not use the cache. */
  async function planOf({ cacheControl, userId }: Question, prompt: Message[]): Promise<CachePlan | null> {
    if (cache === null || cacheControl.noStore) return null;
    const partition = config.cache.partition === 'user' ? userId : null;
    // Before the model call, so that an answer of a call that began before a `DELETE /cache` is not found after it.
    const generation = await cache.generation();
    const target = model.target();
    const keyFor = (each: ModelTarget): string =>
      answerCacheKey(config, each, prompt, { generation, partition });
    return { cache, key: keyFor(target), target, keyFor };
  }

  return {
    async find(lookup) {
      const { question, prompt, context, resetFailed, onToken } = lookup;
      const { record, signal, disconnected } = context;
      // Without its history, the question would get the cache key of another question.
      const plan = record.historyAvailable ? await planOf(question, prompt) : null;
      const cached = plan && (await lookUp(plan, lookup, metrics));
      if (cached !== null) return cached;
      if (question.cacheControl.onlyIfCached) throw errors.notCached();
      if (plan) return (await shareModelCall(parts, inFlight, lookup, plan)).text;
      // The answer is not cached or shared, so a model call is no longer needed once the caller has disconnected.
      const abort = AbortSignal.any([signal, resetFailed, disconnected]);
      return (await completeFitting(prompt, callOptions(parts, lookup, abort, onToken))).text;
    },

    async requireCached(question) {
      const plan = await planOf(question, buildPrompt(config.model.systemPrompt, [], question.text));
      const { noCache, maxAgeMs } = question.cacheControl;
      const found = plan && !noCache && (await plan.cache.lookUp(plan.key, maxAgeMs));
      if (!found || found.result !== 'hit') throw errors.notCached();
    },
  };
}

/** Gives the text of a cached answer, or null. */
async function lookUp(
  { cache, key }: CachePlan,
  { question, context: { record }, onToken }: Lookup,
  metrics: ProcessMetrics,
): Promise<string | null> {
  const { noCache, maxAgeMs } = question.cacheControl;
  if (noCache) return null;
  const found = await timed(record, 'cache_lookup', () => cache.lookUp(key, maxAgeMs));
  record.cache.result = found.result;
  if (found.result === 'hit') {
    record.cache.tier = found.tier;
    record.cache.ageMs = found.ageMs;
    record.tokensSaved = found.answer.tokens;
    record.model = found.answer.model ?? null;
  }
  metrics.countLookup(found.result, record.tokensSaved);
  if (found.result !== 'hit') {
    record.cache.reason = found.reason;
    return null;
  }
  onToken(found.answer.text);
  return found.answer.text;
}

/** Joins the identical model call in flight, or starts one. The answer is stored in the cache. */
async function shareModelCall(
  parts: FinderParts,
  inFlight: SingleFlight<SharedAnswer>,
  lookup: Lookup,
  plan: CachePlan,
): Promise<SharedAnswer> {
  const { question, context, resetFailed, onToken } = lookup;
  const { record, signal, disconnected } = context;
  const work = askOrWait(parts, lookup, plan);
  // With FINISH_ABANDONED on, the call continues after its caller disconnected, so that the answer is stored.
  const signals = parts.config.finishAbandoned ? [signal, resetFailed] : [signal, resetFailed, disconnected];
  const abort = AbortSignal.any(signals);
  if (!inFlight.has(plan.key)) return inFlight.join(plan.key, work, abort, onToken);
  // `no-cache` asks for an answer that is generated after the request; the call in flight started before it.
  if (question.cacheControl.noCache) return work(abort, onToken);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    onToken(text);
  };
  const shared = await timed(record, 'model', () => inFlight.join(plan.key, work, abort, onText));
  // Nothing was streamed when the question that started the call wants a plain answer.
  if (!streamed) onToken(shared.text);
  countCoalesced(parts, record, shared);
  return shared;
}
