/** Where the text of an answer comes from: the cache, a model call that is under way already, or one of its own. */
import { answerCacheKey, type AnswerCache } from './answer-cache.ts';
import type { Question, QuestionContext } from './answer-question.ts';
import type { CachedAnswer } from './cache-tier.ts';
import type { Completion } from './chat-model.ts';
import { errors } from './errors.ts';
import { askFitting, type CallOptions } from './model-call.ts';
import type { ModelParameters } from './model-parameters.ts';
import { type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt, type Message } from './prompt.ts';
import type { Services } from './services.ts';
import type { FlightWork } from './single-flight.ts';

/** A question that wants an answer. */
export interface Wanted {
  services: Services;
  asked: Question;
  /** What the model is sent. */
  prompt: Message[];
  context: QuestionContext;
  /** When it aborts, its reason is one to give up for this question alone. */
  lost: AbortSignal;
  /** Is given the text, as it comes if the question wants a stream. */
  onToken: (text: string) => void;
}

/** Gives the answer. @throws AskError when there is none. */
export async function findAnswer(wanted: Wanted): Promise<string> {
  const { services, asked, prompt, context, lost, onToken } = wanted;
  const { cache, metrics } = services;
  const { record, signal, left } = context;
  const { noStore, noCache, onlyIfCached, maxAgeMs } = asked.cacheControl;
  // Without its history a question is another question: its answer is nobody else's.
  if (cache === null || noStore || !record.historyAvailable) {
    if (onlyIfCached) throw errors.notCached();
    // No other question can use it.
    const ended = AbortSignal.any([signal, lost, left]);
    return (await askFitting(prompt, callOptions(wanted, ended, onToken))).text;
  }
  const plan = planOf(services, asked, prompt, cache);
  if (!noCache) {
    const answer = await timed(record, 'cache_lookup', () => lookUp(cache, plan.key, maxAgeMs, record));
    metrics.countLookup(record.cache.result, record.saved);
    if (answer) {
      onToken(answer.text);
      return answer.text;
    }
  }
  if (onlyIfCached) throw errors.notCached();
  return (await shareModelCall(wanted, plan)).text;
}

/** Where an answer is kept. */
interface CachePlan {
  cache: AnswerCache;
  key: string;
  /** The parameters that the key is made of, and the key with others. */
  parameters: ModelParameters;
  keyWith: (parameters: ModelParameters) => string;
}

function planOf(services: Services, asked: Question, prompt: Message[], cache: AnswerCache): CachePlan {
  const { config, model } = services;
  const partition = config.cache.partition === 'user' ? asked.userId : null;
  const parameters = model.parameters();
  const keyWith = (sent: ModelParameters): string => answerCacheKey(config, sent, prompt, partition);
  return { cache, key: keyWith(parameters), parameters, keyWith };
}

/** Makes sure that a new conversation, which has no history, finds its answer in the cache. @throws AskError if not. */
export async function requireCachedAnswer(services: Services, asked: Question): Promise<void> {
  const { cache, config } = services;
  const { noStore, noCache, maxAgeMs } = asked.cacheControl;
  if (cache === null || noStore || noCache) throw errors.notCached();
  const prompt = buildPrompt(config.model.systemPrompt, [], asked.question);
  const found = await cache.lookUp(planOf(services, asked, prompt, cache).key, maxAgeMs);
  if (found.result !== 'hit') throw errors.notCached();
}

async function lookUp(
  cache: AnswerCache,
  key: string,
  maxAgeMs: number,
  record: QuestionRecord,
): Promise<CachedAnswer | null> {
  const found = await cache.lookUp(key, maxAgeMs);
  record.cache.result = found.result;
  if (found.result !== 'hit') return null;
  record.cache.tier = found.tier;
  record.cache.ageMs = found.ageMs;
  record.saved = found.answer.tokens;
  return found.answer;
}

/** Asks the model, or waits with those who ask it the same already. The cache learns the answer. */
async function shareModelCall(wanted: Wanted, plan: CachePlan): Promise<Completion> {
  const { services, asked, prompt, context, lost, onToken } = wanted;
  const { flights, metrics, config } = services;
  const { record, signal, left } = context;
  const { cache, key, keyWith, parameters } = plan;
  const work: FlightWork<Completion> = async (ended, onText) => {
    const completion = await askFitting(prompt, callOptions(wanted, ended, onText));
    if (completion.finishReason === 'stop' && !completion.historyDropped) {
      // The key of what was really sent: a parameter may have been refused meanwhile.
      cache.store(completion.parameters === parameters ? key : keyWith(completion.parameters), completion);
    }
    return completion;
  };
  // A question whose caller left goes on, so that the answer is kept.
  const own = AbortSignal.any(config.finishAbandoned ? [signal, lost] : [signal, lost, left]);
  if (!flights.has(key)) return flights.join(key, work, own, onToken);
  // It wants an answer from now, and the one under way was asked for before.
  if (asked.cacheControl.noCache) return work(own, onToken);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    onToken(text);
  };
  const completion = await timed(record, 'model', () => flights.join(key, work, own, onText));
  // The one who asked wanted no stream.
  if (!streamed) onToken(completion.text);
  record.saved = completion.tokens;
  metrics.countCoalesced(record.saved);
  return completion;
}

const callOptions = (
  { services, asked, context }: Wanted,
  signal: AbortSignal,
  onToken: Wanted['onToken'],
): CallOptions => ({
  model: services.model,
  metrics: services.metrics,
  record: context.record,
  requestTimeoutMs: services.config.requestTimeoutMs,
  streamed: asked.stream,
  signal,
  onToken,
});
