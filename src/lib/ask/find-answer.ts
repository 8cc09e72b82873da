/** Where the text of an answer comes from: the cache, a model call that is under way already, or one of its own. */
import { answerCacheKey, type AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { timed } from '../metrics/question-record.ts';
import type { Completion, Message } from '../model/completion.ts';
import type { ModelParameters } from '../model/parameters.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import { askFitting, type CallOptions } from './model-call.ts';
import { buildPrompt } from './prompt.ts';
import type { Question, QuestionContext } from './question.ts';
import { type FlightWork, SingleFlight } from './single-flight.ts';

/** What finding answers needs. */
export interface FinderParts {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  model: ResilientModel;
  metrics: ProcessMetrics;
  config: Config;
}

/** A question whose answer is wanted. */
export interface Lookup {
  question: Question;
  /** What the model is sent. */
  prompt: Message[];
  context: QuestionContext;
  /** When it aborts, its reason is one to give up for this question alone. */
  resetFailed: AbortSignal;
  /** Is given the text, as it comes if the question wants a stream. */
  onToken: (text: string) => void;
}

/** Finds answers. Identical questions under way share one model call. */
export interface AnswerFinder {
  /** Gives the text of the answer. @throws AskError when there is none. */
  find(lookup: Lookup): Promise<string>;
  /** Makes sure that a new conversation, which has no history, finds its answer in the cache. @throws AskError if not. */
  requireCached(question: Question): Promise<void>;
}

/** How the cache takes part in a question, by its `Cache-Control` and its history. */
interface CachePlan {
  cache: AnswerCache;
  key: string;
  /** The parameters that the key is made of, and the key with others. */
  parameters: ModelParameters;
  keyWith: (parameters: ModelParameters) => string;
}

/** Makes the finder of this process. */
export function createAnswerFinder(parts: FinderParts): AnswerFinder {
  const { cache, model, metrics, config } = parts;
  const inFlight = new SingleFlight<Completion>();

  /** Null when the cache takes no part. */
  function planOf({ cacheControl, userId }: Question, prompt: Message[]): CachePlan | null {
    if (cache === null || cacheControl.noStore) return null;
    const partition = config.cache.partition === 'user' ? userId : null;
    const parameters = model.parameters();
    const keyWith = (sent: ModelParameters): string => answerCacheKey(config, sent, prompt, partition);
    return { cache, key: keyWith(parameters), parameters, keyWith };
  }

  return {
    async find(lookup) {
      const { question, prompt, context, resetFailed, onToken } = lookup;
      const { record, signal, disconnected } = context;
      // An answer without its history is the answer to another question, and must not be shared.
      const plan = record.historyAvailable ? planOf(question, prompt) : null;
      const cached = plan && (await lookUp(plan, lookup, metrics));
      if (cached !== null) return cached;
      if (question.cacheControl.onlyIfCached) throw errors.notCached();
      if (plan) return (await shareModelCall(parts, inFlight, lookup, plan)).text;
      // No other question can use it.
      const ended = AbortSignal.any([signal, resetFailed, disconnected]);
      return (await askFitting(prompt, callOptions(parts, lookup, ended, onToken))).text;
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
    record.saved = found.answer.tokens;
  }
  metrics.countLookup(found.result, record.saved);
  if (found.result !== 'hit') return null;
  onToken(found.answer.text);
  return found.answer.text;
}

/** Asks the model, or waits with those who ask it the same already. The cache learns the answer. */
async function shareModelCall(
  parts: FinderParts,
  inFlight: SingleFlight<Completion>,
  lookup: Lookup,
  { cache, key, keyWith, parameters }: CachePlan,
): Promise<Completion> {
  const { question, prompt, context, resetFailed, onToken } = lookup;
  const { record, signal, disconnected } = context;
  const work: FlightWork<Completion> = async (ended, onText) => {
    const completion = await askFitting(prompt, callOptions(parts, lookup, ended, onText));
    if (completion.finishReason === 'stop' && !completion.historyDropped) {
      // The key of what was really sent: a parameter may have been refused meanwhile.
      cache.store(completion.parameters === parameters ? key : keyWith(completion.parameters), completion);
    }
    return completion;
  };
  // A question whose caller disconnected goes on, so that the answer is kept, unless the settings say otherwise.
  const ends = parts.config.finishAbandoned ? [signal, resetFailed] : [signal, resetFailed, disconnected];
  const own = AbortSignal.any(ends);
  if (!inFlight.has(key)) return inFlight.join(key, work, own, onToken);
  // It wants an answer from now, and the one under way was asked for before.
  if (question.cacheControl.noCache) return work(own, onToken);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    onToken(text);
  };
  const completion = await timed(record, 'model', () => inFlight.join(key, work, own, onText));
  // The one who asked wanted no stream.
  if (!streamed) onToken(completion.text);
  record.saved = completion.tokens;
  parts.metrics.countCoalesced(record.saved);
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
