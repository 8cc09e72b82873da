/**
 * Finds the answer to a question: in the cache, from an identical model call in flight, here or on another instance, or
 * from a new model call.
 */
import type { Lookup } from '../cache/answer-cache.ts';
import { answerCacheKey } from '../cache/cache-tier.ts';
import { AskError, errors } from '../contract/errors.ts';
import type { CacheReason } from '../contract/metrics.ts';
import { type QuestionRecord, timed } from '../telemetry/question-record.ts';
import type { Message, ModelTarget } from '../model/completion.ts';
import { askOrExpired, giveCached } from './expired-answer.ts';
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
  requireCached(question: Question, context: AskContext): Promise<void>;
}

/** A question with its prompt; its place in the cache is null when it must not use it. */
type Asked = Omit<Shareable, 'place'> & { place: CachePlace | null };

/** Creates the answer finder of this process. */
export function createAnswerFinder(parts: FinderParts): AnswerFinder {
  const { cache, model, config } = parts;
  const inFlight = new SingleFlight<SharedAnswer>();

  /** Null when the question must not use the cache. */
  async function placeOf(
    { cacheControl, userId, overrides }: Question,
    prompt: Message[],
    { record, userGeneration }: AskContext,
  ): Promise<CachePlace | null> {
    if (cache === null || cacheControl.noStore) return null;
    // Both before the model call, so that an answer of a call that began before a `DELETE /cache`, or before the erasure of
    // the user, is not found after it.
    const [generation, own] = await Promise.all([cache.generation(), userGeneration?.catch(() => null)]);
    if (own === null) {
      record.cache.result = 'error';
      return null;
    }
    const partition = own === undefined || userId === null ? null : { userId, generation: own };
    const target = model.target(overrides);
    const keyFor = (each: ModelTarget): string =>
      answerCacheKey(config, each, prompt, { generation, partition });
    return { cache, generation, key: keyFor(target), target, keyFor };
  }

  /** Gives the answer of a model call: shared with identical questions, if it has a place in the cache. */
  async function askModel(asked: Asked, context: AskContext): Promise<string> {
    const { question, place } = asked;
    if (place) return (await shareModelCall(parts, inFlight, { ...asked, place }, context)).text;
    // The answer is not cached or shared, so a model call is no longer needed once the caller has disconnected, unless
    // the answer has an address.
    const isLasting = config.finishAbandoned && question.idempotencyKey !== undefined;
    const own = isLasting ? context : untilDisconnected(context);
    return (await completeFitting(parts, asked, own)).text;
  }

  /** Why the cache is not searched; undefined when it is. */
  function bypassReason({ cacheControl }: Question, record: QuestionRecord): CacheReason | undefined {
    if (cache === null) return 'off';
    if (cacheControl.noStore) return 'no_store';
    if (!record.historyAvailable) return 'history_unavailable';
    return cacheControl.noCache ? 'no_cache' : undefined;
  }

  return {
    async find(question, prompt, context) {
      const { record, onText } = context;
      record.cache.reason = bypassReason(question, record);
      // Without its history, the question would get the cache key of another question.
      const place = record.historyAvailable ? await placeOf(question, prompt, context) : null;
      const found = place && (await lookUp(parts, question, place, record));
      if (found?.result === 'hit') return giveCached(found.answer, found.tier, record, onText);
      if (question.cacheControl.onlyIfCached) throw errors.notCached();
      const ask = (own: AskContext) => askModel({ question, prompt, place }, own);
      const expired = found?.expired;
      return expired && place ? askOrExpired(parts, { expired, place }, context, ask) : ask(context);
    },

    async requireCached(question, context) {
      const prompt = buildPrompt(config.model.systemPrompt, [], question.text);
      const place = await placeOf(question, prompt, context);
      const { cacheControl } = question;
      const found = place && !cacheControl.noCache && (await place.cache.lookUp(place.key, cacheControl));
      if (!found || found.result !== 'hit') throw errors.notCached();
    },
  };
}

const untilDisconnected = (context: AskContext): AskContext => ({
  ...context,
  signal: AbortSignal.any([context.signal, context.disconnected]),
});

/** Looks the answer up and records the result; null when the question must not get a cached one. */
async function lookUp(
  { counters }: FinderParts,
  { cacheControl }: Question,
  { cache, key }: CachePlace,
  record: QuestionRecord,
): Promise<Lookup | null> {
  if (cacheControl.noCache) return null;
  const found = await timed(record, 'cache_lookup', () => cache.lookUp(key, cacheControl));
  record.cache.result = found.result;
  if (found.result === 'hit') record.tokensSaved = found.answer.tokens;
  else record.cache.reason = found.reason;
  counters.countLookup(found.result, record.tokensSaved);
  return found;
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

  const found = record.cache.result;
  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    context.onText?.(text);
  };
  const joining = { signal: own.signal, onText: context.onText && onText, onWait: context.onWait };
  let shared: SharedAnswer;
  try {
    shared = await timed(record, 'model', () => inFlight.join(place.key, work, joining));
  } catch (error) {
    // The budget of another caller, who was first, says nothing about this one.
    if (!(error instanceof AskError) || !error.budget?.startsWith('caller')) throw error;
    record.cache.result = found;
    return shareModelCall(parts, inFlight, asked, context);
  }
  // Nothing was streamed when the question that started the call wants a plain answer.
  if (!streamed) context.onText?.(shared.text);
  countCoalesced(parts, record, shared);
  return shared;
}
