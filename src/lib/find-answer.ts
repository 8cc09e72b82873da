/** Where the text of an answer comes from: the cache, a model call that is under way already, or one of its own. */
import { answerCacheKey, type AnswerCache } from './answer-cache.ts';
import type { Question, QuestionContext } from './answer-question.ts';
import type { CachedAnswer } from './cache-tier.ts';
import type { Completion } from './chat-model.ts';
import { createConnectionRecord } from './connection-record.ts';
import { dropOlderHalf } from './context-window.ts';
import { AskError, errors } from './errors.ts';
import { type CallRecord, type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt, type Message } from './prompt.ts';
import type { Services } from './services.ts';
import type { Lead } from './single-flight.ts';

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
  const { cache, config, metrics } = services;
  const { record, signal, left } = context;
  const { noStore, noCache, onlyIfCached, maxAgeMs } = asked.cacheControl;
  // Without its history a question is another question: its answer is nobody else's.
  if (cache === null || noStore || !record.historyAvailable) {
    if (onlyIfCached) throw errors.notCached();
    // Nobody else has a use for it.
    return (await askFitting(wanted, AbortSignal.any([signal, lost, left]), onToken)).text;
  }
  const key = answerCacheKey(config, prompt, partitionOf(services, asked));
  if (!noCache) {
    const answer = await timed(record, 'cache_lookup', () => lookUp(cache, key, maxAgeMs, record));
    metrics.countLookup(record.cache.result, record.saved);
    if (answer) {
      onToken(answer.text);
      return answer.text;
    }
  }
  if (onlyIfCached) throw errors.notCached();
  return (await shareModelCall(wanted, cache, key)).text;
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
  record.saved = found.answer.tokens;
  return found.answer;
}

/** Asks the model, or waits with those who ask it the same already. The cache learns the answer. */
async function shareModelCall(wanted: Wanted, cache: AnswerCache, key: string): Promise<Completion> {
  const { services, asked, context, lost, onToken } = wanted;
  const { flights, metrics, config } = services;
  const { record, signal, left } = context;
  const leave = config.finishAbandoned ? lost : AbortSignal.any([lost, left]);
  const work: Lead<Completion>['work'] = async (ended, onText) => {
    const completion = await askFitting(wanted, ended, onText);
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
  record.saved = completion.tokens;
  metrics.countCoalesced(record.saved);
  return completion;
}

/** Asks the model, once more with half of the chat history when it says that all of it is too long. */
async function askFitting(wanted: Wanted, ended: AbortSignal, onToken: Wanted['onToken']) {
  try {
    return { ...(await askModel(wanted, wanted.prompt, ended, onToken)), historyDropped: false };
  } catch (error) {
    const shorter =
      error instanceof AskError && error.code === 'conversation_too_long' && dropOlderHalf(wanted.prompt);
    if (!shorter) throw error;
    // An answer to another prompt than the one that its key is made of.
    return { ...(await askModel(wanted, shorter, ended, onToken)), historyDropped: true };
  }
}

async function askModel(
  { services, asked, context }: Wanted,
  prompt: Message[],
  signal: AbortSignal,
  onToken: Wanted['onToken'],
): Promise<Completion> {
  const { config, model, metrics } = services;
  const { record } = context;
  // Of the newest call, should there be two.
  const connection = createConnectionRecord();
  record.connection = connection;
  const deadline = record.startedAt + config.requestTimeoutMs;
  const call = beginCall(prompt, connection, asked.stream);
  record.calls.push(call);
  const onFirst = (text: string): void => {
    call.firstTokenAt ??= performance.now();
    onToken(text);
  };
  try {
    const completion = await timed(record, 'model', () =>
      model.complete(prompt, { record: connection, signal, deadline }, asked.stream ? onFirst : undefined),
    );
    call.completion = completion;
    metrics.modelState = 'ok';
    metrics.countModelCall(record.timings.model, connection.reused, completion.tokens);
    record.tokens = completion.tokens;
    return completion;
  } catch (error) {
    if (!signal.aborted) metrics.modelState = 'failing';
    call.error = error instanceof AskError ? error.code : error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    call.endedAt = performance.now();
  }
}

const beginCall = (
  prompt: Message[],
  connection: CallRecord['connection'],
  streamed: boolean,
): CallRecord => ({
  prompt,
  streamed,
  connection,
  startedAt: performance.now(),
  firstTokenAt: null,
  endedAt: null,
  completion: null,
  error: null,
});
