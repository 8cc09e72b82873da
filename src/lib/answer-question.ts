/** How a question is answered: chat history, then the cache, then the model, then chat history again. */
import { randomUUID } from 'node:crypto';
import type { CacheControl } from './cache-control.ts';
import type { ChatHistory, Interaction, Position, SessionKey } from './chat-history.ts';
import { FIRST_POSITION } from './chat-history.ts';
import { errors } from './errors.ts';
import { findAnswer, requireCachedAnswer } from './find-answer.ts';
import type { PerformanceMetrics } from './metrics.ts';
import { type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt } from './prompt.ts';
import type { Services } from './services.ts';

/** A valid question, as it was asked. */
export interface Question {
  question: string;
  /** Absent: a new session. */
  sessionId: string | undefined;
  /** Forget this session's history first. */
  newConversation: boolean;
  cacheControl: CacheControl;
  /** Who asks; null when nobody is signed in. */
  userId: string | null;
}

/** What a question needs of the request that brought it. */
export interface QuestionContext {
  record: QuestionRecord;
  /** Ends the model call; its reason is the {@link AskError} that the caller gets. */
  signal: AbortSignal;
  warn: (message: string) => void;
}

/** The answer of a 200, as JSON. */
export interface Answer {
  answer: string;
  chat_history: ChatMessage[];
  session_id: string;
  status: 'success';
  performance_metrics: PerformanceMetrics;
}

/** One entry of the chat history that a caller sees. */
export interface ChatMessage {
  role: 'human' | 'ai';
  content: string;
}

/** What happens while a question is answered: the session is known, the answer is complete and stored. */
export type AnswerEvent = { type: 'session'; sessionId: string } | { type: 'done'; answer: Answer };

/**
 * Answers one question.
 * @throws AskError when there is no answer: the model failed, the deadline passed, or the old conversation could not
 * be forgotten. A chat history that cannot be read or written is no reason not to answer; the metrics say so.
 */
export async function* answerQuestion(
  services: Services,
  asked: Question,
  context: QuestionContext,
): AsyncGenerator<AnswerEvent, void, void> {
  const { config, history, metrics, http } = services;
  const { record, warn } = context;
  const session: SessionKey = { userId: asked.userId, sessionId: asked.sessionId ?? randomUUID() };
  yield { type: 'session', sessionId: session.sessionId };

  // A conversation is not forgotten for an answer that is not there.
  if (asked.newConversation && asked.cacheControl.onlyIfCached) await requireCachedAnswer(services, asked);

  const limit = config.historyMaxInteractions;
  const past = await openConversation(history, session, asked, limit, context);
  try {
    const prompt = buildPrompt(config.model.systemPrompt, past.interactions, asked.question);
    const text = await findAnswer(services, asked, prompt, context, past.lost);
    record.timings.time_to_first_token = performance.now() - record.startedAt;

    const interaction = { question: asked.question, answer: text };
    record.historySaved = await timed(record, 'history_write', () =>
      save(history, session, past.position, interaction, warn),
    );
    const answer: Answer = {
      answer: text,
      chat_history: [...past.interactions, interaction].slice(-limit).flatMap(toMessages),
      session_id: session.sessionId,
      status: 'success',
      performance_metrics: metrics.report(record, http.openConnections()),
    };
    yield { type: 'done', answer };
  } finally {
    // A reset that is still under way stands, whatever became of the answer.
    await Promise.allSettled([past.position]);
  }
}

interface OpenConversation {
  interactions: Interaction[];
  /** Where the answer is to be appended: null when that could not be found out, rejected when a reset failed. */
  position: Promise<Position | null>;
  /** Aborted when the reset failed. */
  lost: AbortSignal;
}

async function openConversation(
  history: ChatHistory,
  session: SessionKey,
  asked: Question,
  limit: number,
  { record, warn }: QuestionContext,
): Promise<OpenConversation> {
  const lost = new AbortController();
  const opened = (interactions: Interaction[], position: Promise<Position | null>) => ({
    interactions,
    position,
    lost: lost.signal,
  });
  // Nobody has used a session id that was made just now.
  if (asked.sessionId === undefined) return opened([], Promise.resolve(FIRST_POSITION));

  if (asked.newConversation) {
    const position = history.reset(session).catch((error: unknown) => {
      const notReset = errors.historyNotReset(error);
      lost.abort(notReset);
      throw notReset;
    });
    // It is awaited beside the model call; until then nobody listens.
    position.catch(() => {});
    return opened([], position);
  }

  try {
    const conversation = await timed(record, 'history_read', () => history.read(session, limit));
    return opened(conversation.interactions, Promise.resolve(conversation));
  } catch (error) {
    record.historyAvailable = false;
    warn(`Chat history could not be read: ${String(error)}`);
    // Tried once more while the model works, for the place where the answer is to be appended.
    return opened(
      [],
      history.read(session, 1).catch(() => null),
    );
  }
}

/** Appends the interaction; false when it could not be stored. */
async function save(
  history: ChatHistory,
  session: SessionKey,
  position: Promise<Position | null>,
  interaction: Interaction,
  warn: (message: string) => void,
): Promise<boolean> {
  const after = await position;
  if (after === null) return false;
  try {
    await history.append(session, after, interaction);
    return true;
  } catch (error) {
    warn(`The interaction could not be stored: ${String(error)}`);
    return false;
  }
}

const toMessages = ({ question, answer }: Interaction): ChatMessage[] => [
  { role: 'human', content: question },
  { role: 'ai', content: answer },
];
