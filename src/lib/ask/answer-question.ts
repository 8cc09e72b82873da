/** Answers a question: reads the chat history, finds the answer (in the cache or from the model), and stores it. */
import { type Interaction, toMessages } from '../history/interaction.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { markFirstToken, timed } from '../metrics/question-record.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { PendingWork } from '../runtime/pending-work.ts';
import { fitHistory } from './context-window.ts';
import type { Conversation, Conversations } from './conversation.ts';
import type { AnswerFinder } from './find-answer.ts';
import { buildPrompt } from './prompt.ts';
import type { AnswerEvent, Question, QuestionContext } from './question.ts';
import { alignHistory } from './stable-history.ts';
import { TokenQueue } from './token-queue.ts';

/** What {@link createAnswerer} needs. */
export interface AnswererParts {
  conversations: Conversations;
  finder: AnswerFinder;
  metrics: ProcessMetrics;
  model: Pick<ResilientModel, 'modelName'>;
  config: { model: { systemPrompt: string }; historyMaxInteractions: number; historyMaxTokens: number };
  /** Takes the answers in progress: they are completed even if the caller stops reading the events. */
  pending: PendingWork;
}

/** Answers questions. */
export interface Answerer {
  /**
   * Answers one question. Answering continues to the end, even if the caller stops reading the events. When the chat
   * history cannot be read or written, the question is answered anyway, and the metrics say so.
   * @throws AskError when there is no answer: the model failed, the deadline passed, or a new conversation could not be
   * begun.
   */
  answer(question: Question, context: QuestionContext): AsyncGenerator<AnswerEvent, void, void>;
}

/** Creates the answerer of this process. */
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

      // Checked before the history is reset: a question that gets no answer must not delete the conversation.
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
      // An error is thrown by the `await` below, unless the caller has disconnected by then.
      finishing.catch(() => {}).finally(() => tokens.end());
      if (question.stream) for await (const text of tokens) yield { type: 'token', text };
      yield done([...conversation.interactions, await finishing]);
    },
  };
}

interface Turn {
  question: Question;
  context: QuestionContext;
  /** Takes the text piece by piece. */
  tokens: TokenQueue;
}

/** Finds the answer, forwards its text, and stores the interaction. */
async function finish(
  { finder, model, config }: AnswererParts,
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
    const { interactions } = conversation;
    const fitting = await fitHistory(interactions, config.historyMaxTokens, model.modelName());
    const history = alignHistory(interactions, fitting, config.historyMaxInteractions);
    const prompt = buildPrompt(config.model.systemPrompt, history, question.text);
    const answer = await finder.find({ question, prompt, context, resetFailed, onToken });
    // Without a stream, the whole answer arrives at once and is the first token.
    markFirstToken(record);
    const interaction = { question: question.text, answer };
    record.historySaved = await timed(record, 'history_write', () => conversation.save(interaction));
    return interaction;
  } finally {
    await conversation.release();
  }
}
