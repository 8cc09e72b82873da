/** Answers a question: reads the chat history, finds the answer (in the cache or from the model), and stores it. */
import { type Interaction, toMessages } from '../history/session-rows.ts';
import type { ProcessCounters } from '../telemetry/process-counters.ts';
import { markFirstToken, timed } from '../telemetry/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { Answer } from '../contract/responses.ts';
import { buildPrompt, fitHistory, promptCacheKeyOf, alignHistory } from './prompt.ts';
import type { Conversation, Conversations } from './conversation.ts';
import type { AnswerFinder } from './find-answer.ts';
import type { AskContext, Question } from './question.ts';

/** What {@link createAnswerer} needs. */
export interface AnswererParts {
  conversations: Conversations;
  finder: AnswerFinder;
  counters: ProcessCounters;
  model: Pick<ResilientModel, 'modelName'>;
  config: { model: { systemPrompt: string }; historyMaxInteractions: number; historyMaxTokens: number };
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
  const { conversations, finder, counters, config, pending } = parts;

  async function answer(question: Question, context: AskContext): Promise<Answer> {
    const { record, onText } = context;
    // Checked before the history is reset: a question that gets no answer must not delete the conversation.
    if (question.newConversation && question.cacheControl.onlyIfCached) await finder.requireCached(question);
    const conversation = await conversations.open(question, context);
    let interactions: Interaction[];
    if ('replayed' in conversation) {
      record.replayed = record.historySaved = true;
      interactions = conversation.replayed;
      onText?.(interactions.at(-1)?.answer ?? '');
    } else {
      interactions = [...conversation.interactions, await extend(parts, conversation, question, context)];
    }
    return {
      answer: interactions.at(-1)?.answer ?? '',
      chat_history: interactions.slice(-config.historyMaxInteractions).flatMap(toMessages),
      session_id: question.sessionId,
      status: 'success',
      finish_reason: record.finishReason,
      performance_metrics: counters.report(record),
    };
  }

  return { answer: (question, context) => pending.add(answer(question, context)) };
}

/** Finds the answer, and extends the conversation by it. */
async function extend(
  { finder, model, config }: AnswererParts,
  conversation: Conversation,
  question: Question,
  context: AskContext,
): Promise<Interaction> {
  const { record, signal, onText } = context;
  const onFirstText = (text: string): void => {
    markFirstToken(record);
    onText?.(text);
  };
  try {
    const { interactions } = conversation;
    const fitting = await fitHistory(interactions, config.historyMaxTokens, model.modelName());
    const history = alignHistory(interactions, fitting, config.historyMaxInteractions);
    const prompt = buildPrompt(config.model.systemPrompt, history, question.text);
    const answer = await finder.find(question, prompt, {
      ...context,
      signal: AbortSignal.any([signal, conversation.resetFailed]),
      onText: onText && onFirstText,
      promptCacheKey: promptCacheKeyOf(question),
    });
    // Without a stream, the whole answer arrives at once and is the first token.
    markFirstToken(record);
    const interaction = { question: question.text, answer };
    record.historySaved = await timed(record, 'history_write', () => conversation.save(interaction));
    return interaction;
  } finally {
    await conversation.release();
  }
}
