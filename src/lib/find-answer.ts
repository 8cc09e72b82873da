/** Where the text of an answer comes from: the cache, a model call that is under way already, or one of its own. */
import { answerCacheKey, type AnswerCache } from './answer-cache.ts';
import type { Question, QuestionContext } from './answer-question.ts';
import type { CachedAnswer } from './cache-tier.ts';
import type { Completion, TokenUsage } from './chat-model.ts';
import { createConnectionRecord } from './connection-record.ts';
import { dropOlderHalf } from './context-window.ts';
import { AskError, errors } from './errors.ts';
import { type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt, type Message } from './prompt.ts';
import type { Services } from './services.ts';
import type { Lead } from './single-flight.ts';

/**
 * Gives the answer to `prompt`. `lost`, when it aborts, is the reason to give up for this question alone. `onToken` is
 * given the text, as it comes if the question wants a stream.
 * @throws AskError when there is none.
 */
export async function findAnswer(
  services: Services,
  asked: Question,
  prompt: Message[],
  context: QuestionContext,
  lost: AbortSignal,
  onToken: (text: string) => void,
): Promise<string> {
  const { cache, config, metrics } = services;
  const { record, signal, left } = context;
  const { noStore, noCache, onlyIfCached, maxAgeMs } = asked.cacheControl;
  // Without its history a question is another question: its answer is nobody else's.
  if (cache === null || noStore || !record.historyAvailable) {
    if (onlyIfCached) throw errors.notCached();
    // Nobody else has a use for it.
    const ended = AbortSignal.any([signal, lost, left]);
    const call = { record, signal: ended, onToken: asked.stream ? onToken : undefined };
    return (await askFitting(services, prompt, call)).text;
  }
  const key = answerCacheKey(config, prompt, partitionOf(services, asked));
  if (!noCache) {
    const answer = await timed(record, 'cache_lookup', () => lookUp(cache, key, maxAgeMs, record));
    metrics.countLookup(record.cache.result, record.tokens.saved);
    if (answer) {
      onToken(answer.text);
      return answer.text;
    }
  }
  if (onlyIfCached) throw errors.notCached();
  const leave = config.finishAbandoned ? lost : AbortSignal.any([lost, left]);
  return (await shareModelCall(services, cache, key, asked, prompt, context, leave, onToken)).text;
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
  leave: AbortSignal,
  onToken: (text: string) => void,
): Promise<Completion> {
  const { flights, metrics } = services;
  const work: Lead<Completion>['work'] = async (ended, onText) => {
    const call = { record, signal: ended, onToken: asked.stream ? onText : undefined };
    const completion = await askFitting(services, prompt, call);
    if (completion.finishReason === 'stop' && !completion.historyDropped) cache.store(key, completion);
    return completion;
  };
  const lead = { work, signal };
  if (!flights.has(key)) return flights.join(key, lead, leave, onToken);
  const own = AbortSignal.any([signal, leave]);
  // It wants an answer from now, and the one under way was asked for before.
  if (asked.cacheControl.noCache) return work(own, onToken);

  record.cache.result = 'coalesced';
  let streamed = false;
  const onText = (text: string): void => {
    streamed = true;
    onToken(text);
  };
  const completion = await timed(record, 'model', () => flights.join(key, lead, own, onText));
  // The one who asked wanted no stream.
  if (!streamed) onToken(completion.text);
  record.tokens.saved = total(completion.tokens);
  metrics.countCoalesced(record.tokens.saved);
  return completion;
}

interface OwnCall {
  record: QuestionRecord;
  /** Ends the call. */
  signal: AbortSignal;
  /** Absent: no stream is wanted. */
  onToken: ((text: string) => void) | undefined;
}

/** Asks the model, once more with half of the chat history when it says that all of it is too long. */
async function askFitting(services: Services, prompt: Message[], call: OwnCall) {
  try {
    return { ...(await askModel(services, prompt, call)), historyDropped: false };
  } catch (error) {
    const shorter =
      error instanceof AskError && error.code === 'conversation_too_long' && dropOlderHalf(prompt);
    if (!shorter) throw error;
    // An answer to another prompt than the one that its key is made of.
    return { ...(await askModel(services, shorter, call)), historyDropped: true };
  }
}

async function askModel(
  { config, model, metrics }: Services,
  prompt: Message[],
  { record, signal, onToken }: OwnCall,
): Promise<Completion> {
  // Of the newest call, should there be two.
  const connection = createConnectionRecord();
  record.connection = connection;
  try {
    const deadline = record.startedAt + config.requestTimeoutMs;
    const call = { record: connection, signal, deadline };
    const completion = await timed(record, 'model', () => model.complete(prompt, call, onToken));
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
