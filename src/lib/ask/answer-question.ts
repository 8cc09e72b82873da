/** Answers a question: reads the chat history, finds the answer (in the cache or from the model), and stores it. */
import { toMessages } from '../history/session-rows.ts';
import type { ProcessCounters } from '../telemetry/process-counters.ts';
import { markFirstToken, timed } from '../telemetry/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { UserGenerations } from '../users/generations.ts';
import type { Answer } from '../contract/responses.ts';
import { buildPrompt, fitHistory, promptCacheKeyOf, alignHistory } from './prompt.ts';
import type { Conversation, Conversations } from './conversation.ts';
import type { AnswerFinder } from './find-answer.ts';
import { type Answered, StoppedError } from './live-answer.ts';
import type { AskContext, Question } from './question.ts';

/** What {@link createAnswerer} needs. */
export interface AnswererParts {
  conversations: Conversations;
  finder: AnswerFinder;
  counters: ProcessCounters;
  model: Pick<ResilientModel, 'modelName'>;
  config: { model: { systemPrompt: string }; historyMaxInteractions: number; historyMaxTokens: number };
  /** Null when the users share cached answers. */
  generations: UserGenerations | null;
  /** Takes the answers in progress. */
  pending: PendingWork;
}

/** Answers questions. */
export interface Answerer {
  /**
   * Answers one question, to the end even if nobody waits for it any more. When the chat history cannot be read or written,
   * the question is answered anyway, and the metrics say so.
   * @throws AskError when there is no answer: the model failed, the deadline passed, or a new conversation could not be
   * begun.
   */
  answer(question: Question, context: AskContext): Promise<Answer>;
}

/** Creates the answerer of this process. */
export function createAnswerer(parts: AnswererParts): Answerer {
  const { conversations, finder, counters, config, pending, generations } = parts;

  /** Reads the generation of the user's cached answers beside the history. */
  function withGeneration({ userId }: Question, context: AskContext): AskContext {
    if (generations === null || userId === null) return context;
    const userGeneration = generations.current(userId);
    // It may never be awaited.
    userGeneration.catch(() => {});
    return { ...context, userGeneration };
  }

  async function answer(question: Question, caller: AskContext): Promise<Answer> {
    const context = withGeneration(question, caller);
    const { record } = context;
    // Checked before the history is reset: a question that gets no answer must not delete the conversation.
    if (question.newConversation && question.cacheControl.onlyIfCached)
      await finder.requireCached(question, context);
    const opened = await conversations.open(question, context);
    const answered =
      'replayed' in opened ? opened.replayed : await answerIn(parts, opened, question, context);
    const { interactions, position, stopped } = answered;
    record.historySaved = position !== null;
    record.stopped = stopped;
    return {
      answer: answered.answer,
      chat_history: interactions.slice(-config.historyMaxInteractions).flatMap(toMessages),
      session_id: question.sessionId,
      ...(position !== null && { position }),
      status: 'success',
      ...(stopped && { stopped }),
      finish_reason: record.finishReason,
      performance_metrics: counters.report(record),
    };
  }

  return { answer: (question, context) => pending.add(answer(question, context)) };
}

const NOT_STORED = { position: null, stopped: false };

/** Answers a question in its conversation, and tells those who follow the answer how it ended. */
async function answerIn(
  parts: AnswererParts,
  conversation: Conversation,
  question: Question,
  context: AskContext,
): Promise<Answered> {
  const { live } = conversation;
  const leave = live?.watch(context.disconnected);
  const cancel = (): void => live?.stop();
  context.cancelled?.addEventListener('abort', cancel, { once: true });
  if (context.cancelled?.aborted) cancel();
  let failure: unknown;
  try {
    const answered = await extend(parts, conversation, question, context);
    live?.succeed(answered);
    return answered;
  } catch (error) {
    failure = error;
    live?.fail(error);
    throw error;
  } finally {
    context.cancelled?.removeEventListener('abort', cancel);
    leave?.();
    await conversation.end(failure);
  }
}

/** Finds the answer, and extends the conversation by it. */
async function extend(
  parts: AnswererParts,
  conversation: Conversation,
  question: Question,
  context: AskContext,
): Promise<Answered> {
  const { record } = context;
  const { interactions, live } = conversation;
  const answer = await find(parts, conversation, question, context);
  // Stopped before its first text.
  if (answer === '' && live?.isStopped) return { interactions, answer, stopped: true, position: null };
  // Without a stream, the whole answer arrives at once and is the first token.
  markFirstToken(record);
  const interaction = { question: question.text, answer };
  const save = () => timed(record, 'history_write', () => conversation.save(interaction));
  const { position, stopped } = question.isStored === false ? NOT_STORED : await save();
  if (stopped) record.finishReason = null;
  const own = { ...interaction, ...(stopped && { stopped: true as const }) };
  return { interactions: [...interactions, own], answer, stopped, position };
}

/** Gives the text of the answer: all of it, or when it is stopped, what has come by then. */
async function find(
  { finder, model, config }: AnswererParts,
  { interactions, live, resetFailed }: Conversation,
  question: Question,
  context: AskContext,
): Promise<string> {
  const { record, onText, onWait } = context;
  const onFirstText = (text: string): void => {
    markFirstToken(record);
    live?.add(text);
    onText?.(text);
  };
  const onOwnWait = (ms: number): void => {
    live?.wait(ms);
    onWait?.(ms);
  };
  const fitting = await fitHistory(interactions, config.historyMaxTokens, model.modelName());
  const history = alignHistory(interactions, fitting, config.historyMaxInteractions);
  const system = [config.model.systemPrompt, question.instructions].filter(Boolean).join('\n\n');
  const prompt = question.prompt ?? buildPrompt(system, history, question.text);
  const signals = [context.signal, resetFailed, live?.stopping].filter((signal) => signal !== undefined);
  try {
    return await finder.find(question, prompt, {
      ...context,
      ...(live && { disconnected: live.abandoned }),
      signal: AbortSignal.any(signals),
      // With an address, an answer is streamed even if its caller wants it as a whole: others may follow it.
      onText: onText || question.idempotencyKey !== undefined ? onFirstText : undefined,
      onWait: onOwnWait,
      promptCacheKey: question.promptCacheKey ?? (question.prompt ? undefined : promptCacheKeyOf(question)),
      overrides: question.overrides,
    });
  } catch (error) {
    // A caller may cancel by leaving.
    if (live?.isStopped && (error instanceof StoppedError || live.abandoned.aborted)) return live.text;
    throw error;
  }
}
