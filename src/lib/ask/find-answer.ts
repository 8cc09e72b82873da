/**
 * Finds the answer to a question: in the cache, from an identical model call in flight, here or on another instance, or
 * from a new model call.
 */
import { answerCacheKey } from '../cache/answer-cache.ts';
import { errors } from '../contract/errors.ts';
import { noteAnswer, timed } from '../telemetry/question-record.ts';
import type { Message, ModelTarget } from '../model/completion.ts';
import {
  askOrWait,
  type CachePlace,
  completeFitting,
  countCoalesced,
  type FinderParts,
  type Shareable,
  type SharedAnswer,
} from './model-call.ts';
import { buildPrompt } from './prompt.ts';
import type { AskContext, Question } from './question.ts';
import { SingleFlight } from './single-flight.ts';

/** Finds answers. Identical questions in flight share one model call. */
export interface AnswerFinder {
  /** Gives the text of the answer to a question with this prompt. @throws AskError when there is none. */
  find(question: Question, prompt: Message[], context: AskContext): Promise<string>;
  /** Checks that the cache has an answer to a question that begins a new conversation. @throws AskError otherwise. */
  requireCached(question: Question): Promise<void>;
}

/** Creates the answer finder of this process. */
export function createAnswerFinder(parts: FinderParts): AnswerFinder {
  const { cache, model, config } = parts;
  const inFlight = new SingleFlight<SharedAnswer>();

  /** Null when the question must not use the cache. */
  async function placeOf(
    { cacheControl, userId, overrides }: Question,
    prompt: Message[],
  ): Promise<CachePlace | null> {
    if (cache === null || cacheControl.noStore) return null;
    const partition = config.cache.partition === 'user' ? userId : null;
    // Before the model call, so that an answer of a call that began before a `DELETE /cache` is not found after it.
    const generation = await cache.generation();
    const target = model.target(overrides);
    const keyFor = (each: ModelTarget): string =>
      answerCacheKey(config, each, prompt, { generation, partition });
    return { cache, key: keyFor(target), target, keyFor };
  }

  return {
    async find(question, prompt, context) {
      // Without its history, the question would get the cache key of another question.
      const place = context.record.historyAvailable ? await placeOf(question, prompt) : null;
      const cached = place && (await lookUp(parts, question, place, context));
      if (cached !== null) return cached;
      if (question.cacheControl.onlyIfCached) throw errors.notCached();
      if (place) {
        const { text } = await shareModelCall(parts, inFlight, { question, prompt, place }, context);
        return text;
      }
      // The answer is not cached or shared, so a model call is no longer needed once the caller has disconnected, unless
      // the answer has an address.
      const isLasting = config.finishAbandoned && question.idempotencyKey !== undefined;
      const own = isLasting ? context : untilDisconnected(context);
      return (await completeFitting(parts, { question, prompt }, own)).text;
    },

    async requireCached(question) {
      const place = await placeOf(question, buildPrompt(config.model.systemPrompt, [], question.text));
      const { noCache, maxAgeMs } = question.cacheControl;
      const found = place && !noCache && (await place.cache.lookUp(place.key, maxAgeMs));
      if (!found || found.result !== 'hit') throw errors.notCached();
    },
  };
}

const untilDisconnected = (context: AskContext): AskContext => ({
  ...context,
  signal: AbortSignal.any([context.signal, context.disconnected]),
});

/** Gives the text of a cached answer, or null. */
async function lookUp(
  { counters }: FinderParts,
  { cacheControl: { noCache, maxAgeMs } }: Question,
  { cache, key }: CachePlace,
  { record, onText }: AskContext,
): Promise<string | null> {
  if (noCache) return null;
  const found = await timed(record, 'cache_lookup', () => cache.lookUp(key, maxAgeMs));
  record.cache.result = found.result;
  if (found.result === 'hit') {
    record.cache.tier = found.tier;
    record.cache.ageMs = found.ageMs;
    record.tokensSaved = found.answer.tokens;
    noteAnswer(record, found.answer);
  }
  counters.countLookup(found.result, record.tokensSaved);
  if (found.result !== 'hit') {
    record.cache.reason = found.reason;
    return null;
  }
  onText?.(found.answer.text);
  return found.answer.text;
}

/** Joins the identical model call in flight, or starts one. The answer is stored in the cache. */
async function shareModelCall(
  parts: FinderParts,
  inFlight: SingleFlight<SharedAnswer>,
  asked: Shareable,
  context: AskContext,
): Promise<SharedAnswer> {
  const { question, place } = asked;
  const { record } = context;
  // With FINISH_ABANDONED on, the call continues after its caller disconnected, so that the answer is stored.
  const own = parts.config.finishAbandoned ? context : untilDisconnected(context);
  const work = (flight: Partial<AskContext>) => askOrWait(parts, asked, { ...context, ...flight });
  if (!inFlight.has(place.key)) return inFlight.join(place.key, work, own);
  // `no-cache` asks for an answer that is generated after the request; the call in flight started before it.
  if (question.cacheControl.noCache) return work(own);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    context.onText?.(text);
  };
  const joining = { signal: own.signal, onText: context.onText && onText, onWait: context.onWait };
  const shared = await timed(record, 'model', () => inFlight.join(place.key, work, joining));
  // Nothing was streamed when the question that started the call wants a plain answer.
  if (!streamed) context.onText?.(shared.text);
  countCoalesced(parts, record, shared);
  return shared;
}
