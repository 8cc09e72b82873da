/** Where the text of an answer comes from: the cache, a model call that is under way already, or one of its own. */
import { answerCacheKey, type AnswerCache } from './answer-cache.ts';
import type { Question, QuestionContext } from './answer-question.ts';
import type { CachedAnswer } from './cache-tier.ts';
import type { Completion, TokenUsage } from './chat-model.ts';
import { createConnectionRecord } from './connection-record.ts';
import { errors } from './errors.ts';
import { type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt, type Message } from './prompt.ts';
import type { Services } from './services.ts';

/**
 * Gives the answer to `prompt`. `lost`, when it aborts, is the reason to give up for this question alone.
 * @throws AskError when there is none.
 */
export async function findAnswer(
  services: Services,
  asked: Question,
  prompt: Message[],
  context: QuestionContext,
  lost: AbortSignal,
): Promise<string> {
  const { cache, config, metrics } = services;
  const { record, signal } = context;
  const { noStore, noCache, onlyIfCached, maxAgeMs } = asked.cacheControl;
  // Without its history a question is another question: its answer is nobody else's.
  if (cache === null || noStore || !record.historyAvailable) {
    if (onlyIfCached) throw errors.notCached();
    return (await askModel(services, prompt, record, AbortSignal.any([signal, lost]))).text;
  }
  const key = answerCacheKey(config, prompt, partitionOf(services, asked));
  if (!noCache) {
    const answer = await timed(record, 'cache_lookup', () => lookUp(cache, key, maxAgeMs, record));
    metrics.countLookup(record.cache.result, record.tokens.saved);
    if (answer) return answer.text;
  }
  if (onlyIfCached) throw errors.notCached();
  return (await shareModelCall(services, cache, key, asked, prompt, context, lost)).text;
}

/** Makes sure that a new conversation, which has no history, finds its answer in the cache. @throws AskError if not. */
export async function requireCachedAnswer(services: Services, asked: Question): Promise<void> {
  const { cache, config } = services;
  const { noStore, noCache, maxAgeMs } = asked.cacheControl;
  const prompt = buildPrompt(config.model.systemPrompt, [], asked.question);
  const key = answerCacheKey(config, prompt, partitionOf(services, asked));
  const found = cache && !noStore && !noCache && (await cache.lookUp(key, maxAgeMs));
  if (!found || found.result !== 'hit') throw errors.notCached();
}

const partitionOf = ({ config }: Services, { userId }: Question): string | null =>
  config.cache.partition === 'user' ? userId : null;

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
  record.tokens.saved = total(found.answer.tokens);
  return found.answer;
}

/** Asks the model, or waits with those who ask it the same already. The cache learns the answer. */
async function shareModelCall(
  services: Services,
  cache: AnswerCache,
  key: string,
  asked: Question,
  prompt: Message[],
  { record, signal }: QuestionContext,
  lost: AbortSignal,
): Promise<Completion> {
  const { flights, metrics } = services;
  const work = async (ended: AbortSignal): Promise<Completion> => {
    const completion = await askModel(services, prompt, record, ended);
    if (completion.finishReason === 'stop') cache.store(key, completion);
    return completion;
  };
  if (!flights.has(key)) return flights.join(key, { work, signal }, lost);
  const own = AbortSignal.any([signal, lost]);
  // It wants an answer from now, and the one under way was asked for before.
  if (asked.cacheControl.noCache) return work(own);

  record.cache.result = 'coalesced';
  const completion = await timed(record, 'model', () => flights.join(key, { work, signal }, own));
  record.tokens.saved = total(completion.tokens);
  metrics.countCoalesced(record.tokens.saved);
  return completion;
}

async function askModel(
  { config, model, metrics }: Services,
  prompt: Message[],
  record: QuestionRecord,
  signal: AbortSignal,
): Promise<Completion> {
  const connection = createConnectionRecord();
  record.connection = connection;
  try {
    const deadline = record.startedAt + config.requestTimeoutMs;
    const call = { record: connection, signal, deadline };
    const completion = await timed(record, 'model', () => model.complete(prompt, call));
    metrics.modelState = 'ok';
    metrics.countModelCall(record.timings.model, connection.reused, completion.tokens);
    Object.assign(record.tokens, completion.tokens);
    return completion;
  } catch (error) {
    if (!signal.aborted) metrics.modelState = 'failing';
    throw error;
  }
}

const total = ({ prompt, completion }: TokenUsage): number => prompt + completion;
