/** How a question is answered: chat history, then the cache or the model, then chat history again. */
import { type Interaction, toMessages } from '../history/interaction.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { markFirstToken, timed } from '../metrics/question-record.ts';
import type { PendingWork } from '../runtime/pending-work.ts';
import { fitHistory } from './context-window.ts';
import type { Conversation, Conversations } from './conversation.ts';
import type { AnswerFinder } from './find-answer.ts';
import { buildPrompt } from './prompt.ts';
import type { AnswerEvent, Question, QuestionContext } from './question.ts';
import { TokenQueue } from './token-queue.ts';

/** What answering needs. */
export interface AnswererParts {
  conversations: Conversations;
  finder: AnswerFinder;
  metrics: ProcessMetrics;
  config: { model: { systemPrompt: string }; historyMaxInteractions: number; historyMaxTokens: number };
  /** Answers under way, which go on when nobody takes their events. */
  pending: PendingWork;
}

/** Answers questions. */
export interface Answerer {
  /**
   * Answers one question. It goes on to its end, whether the events are taken or not.
   * @throws AskError when there is no answer: the model failed, the deadline passed, or the old conversation could not
   * be forgotten. A chat history that cannot be read or written is no reason not to answer; the metrics say so.
   */
  answer(question: Question, context: QuestionContext): AsyncGenerator<AnswerEvent, void, void>;
}

/** Makes the answerer of this process. */
export function createAnswerer(parts: AnswererParts): Answerer {
  const { conversations, finder, metrics, config, pending } = parts;

  return {
    async *answer(question, context) {
      const { record } = context;
      const done = (interactions: Interaction[]): AnswerEvent => ({
        type: 'done',
        answer: {
          answer: interactions.at(-1)?.answer ?? '',
          chat_history: interactions.slice(-config.historyMaxInteractions).flatMap(toMessages),
          session_id: question.sessionId,
          status: 'success',
          performance_metrics: metrics.report(record),
        },
      });

      // A conversation is not forgotten for an answer that is not there.
      if (question.newConversation && question.cacheControl.onlyIfCached)
        await finder.requireCached(question);

      const conversation = await conversations.open(question, context);
      if ('replayed' in conversation) {
        record.replayed = record.historySaved = true;
        if (question.stream) yield { type: 'token', text: conversation.replayed.at(-1)?.answer ?? '' };
        yield done(conversation.replayed);
        return;
      }
      const tokens = new TokenQueue();
      const finishing = pending.add(finish(parts, conversation, { question, context, tokens }));
      // Its error is thrown below, unless the caller has disconnected.
      finishing.catch(() => {}).finally(() => tokens.end());
      if (question.stream) for await (const text of tokens) yield { type: 'token', text };
      yield done([...conversation.interactions, await finishing]);
    },
  };
}

interface Turn {
  question: Question;
  context: QuestionContext;
  /** Takes the text as it comes. */
  tokens: TokenQueue;
}

/** Finds the answer, hands its text on as it comes, and stores it. */
async function finish(
  { finder, config }: AnswererParts,
  conversation: Conversation,
  { question, context, tokens }: Turn,
): Promise<Interaction> {
  const { record } = context;
  const { resetFailed } = conversation;
  const onToken = (text: string): void => {
    markFirstToken(record);
    if (question.stream) tokens.push(text);
  };
  try {
    const history = await fitHistory(conversation.interactions, config.historyMaxTokens);
    const prompt = buildPrompt(config.model.systemPrompt, history, question.text);
    const answer = await finder.find({ question, prompt, context, resetFailed, onToken });
    // A plain answer comes all at once.
    markFirstToken(record);
    const interaction = { question: question.text, answer };
    record.historySaved = await timed(record, 'history_write', () => conversation.save(interaction));
    return interaction;
  } finally {
    await conversation.release();
  }
}
