/** Finds the answer to a question: in the cache, from an identical model call in flight, or from a new model call. */
import { answerCacheKey, type AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { timed } from '../metrics/question-record.ts';
import type { Completion, Message, ModelTarget } from '../model/completion.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import { type CallOptions, completeFitting } from './model-call.ts';
import { buildPrompt } from './prompt.ts';
import type { LookupContext, Question } from './question.ts';
import { type FlightWork, SingleFlight } from './single-flight.ts';

/** What {@link createAnswerFinder} needs. */
export interface FinderParts {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  model: ResilientModel;
  metrics: ProcessMetrics;
  config: Config;
}

/** A question, and the prompt for the model. */
export interface Lookup {
  question: Question;
  prompt: Message[];
  context: LookupContext;
  /** Aborts when the new conversation could not be begun. Ends this question, but not a model call that others share. */
  resetFailed: AbortSignal;
  /** Called with the text: piece by piece for a streamed question, otherwise at once. */
  onToken: (text: string) => void;
}

/** Finds answers. Identical questions in flight share one model call. */
export interface AnswerFinder {
  /** Gives the text of the answer. @throws AskError when there is none. */
  find(lookup: Lookup): Promise<string>;
  /** Checks that the cache has an answer to a question that begins a new conversation. @throws AskError otherwise. */
  requireCached(question: Question): Promise<void>;
}

/** The place of a question's answer in the cache. */
interface CachePlan {
  cache: AnswerCache;
  key: string;
  /** The deployment and the parameters of `key`. */
  target: ModelTarget;
  /** Gives the key for another deployment or other parameters. */
  keyFor: (target: ModelTarget) => string;
}

/** Creates the answer finder of this process. */
export function createAnswerFinder(parts: FinderParts): AnswerFinder {
  const { cache, model, metrics, config } = parts;
  const inFlight = new SingleFlight<Completion>();

  /** Null when the question must not use the cache. */
  function planOf({ cacheControl, userId }: Question, prompt: Message[]): CachePlan | null {
    if (cache === null || cacheControl.noStore) return null;
    const partition = config.cache.partition === 'user' ? userId : null;
    const target = model.target();
    const keyFor = (each: ModelTarget): string => answerCacheKey(config, each, prompt, partition);
    return { cache, key: keyFor(target), target, keyFor };
  }

  return {
    async find(lookup) {
      const { question, prompt, context, resetFailed, onToken } = lookup;
      const { record, signal, disconnected } = context;
      // Without its history, the question would get the cache key of another question.
      const plan = record.historyAvailable ? planOf(question, prompt) : null;
      const cached = plan && (await lookUp(plan, lookup, metrics));
      context.onLookedUp();
      if (cached !== null) return cached;
      if (question.cacheControl.onlyIfCached) throw errors.notCached();
      if (plan) return (await shareModelCall(parts, inFlight, lookup, plan)).text;
      // The answer is not cached or shared, so a model call is no longer needed once the caller has disconnected.
      const abort = AbortSignal.any([signal, resetFailed, disconnected]);
      return (await completeFitting(prompt, callOptions(parts, lookup, abort, onToken))).text;
    },

    async requireCached(question) {
      const plan = planOf(question, buildPrompt(config.model.systemPrompt, [], question.text));
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
  if (found.result !== 'hit') return null;
  onToken(found.answer.text);
  return found.answer.text;
}

/** Joins the identical model call in flight, or starts one. The answer is stored in the cache. */
async function shareModelCall(
  parts: FinderParts,
  inFlight: SingleFlight<Completion>,
  lookup: Lookup,
  { cache, key, keyFor, target }: CachePlan,
): Promise<Completion> {
  const { question, prompt, context, resetFailed, onToken } = lookup;
  const { record, signal, disconnected } = context;
  const work: FlightWork<Completion> = async (abort, onText) => {
    const completion = await completeFitting(prompt, callOptions(parts, lookup, abort, onText));
    if (completion.finishReason === 'stop' && !completion.historyDropped) {
      // A parameter may have been refused, or a fallback deployment may have answered: the key has to match the call
      // that succeeded.
      cache.store(completion.target === target ? key : keyFor(completion.target), completion);
    }
    return completion;
  };
  // With FINISH_ABANDONED on, the call continues after its caller disconnected, so that the answer is stored.
  const signals = parts.config.finishAbandoned ? [signal, resetFailed] : [signal, resetFailed, disconnected];
  const abort = AbortSignal.any(signals);
  if (!inFlight.has(key)) return inFlight.join(key, work, abort, onToken);
  // `no-cache` asks for an answer that is generated after the request; the call in flight started before it.
  if (question.cacheControl.noCache) return work(abort, onToken);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    onToken(text);
  };
  const completion = await timed(record, 'model', () => inFlight.join(key, work, abort, onText));
  // Nothing was streamed when the question that started the call wants a plain answer.
  if (!streamed) onToken(completion.text);
  record.tokensSaved = completion.tokens;
  record.model = completion.model ?? null;
  parts.metrics.countCoalesced(record.tokensSaved);
  return completion;
}

const callOptions = (
  { model, metrics, config }: FinderParts,
  { question, context }: Lookup,
  signal: AbortSignal,
  onToken: Lookup['onToken'],
): CallOptions => ({
  model,
  metrics,
  record: context.record,
  requestTimeoutMs: config.requestTimeoutMs,
  streamed: question.stream,
  signal,
  onToken,
});
