/** How a question is answered: chat history, then the cache, then the model, then chat history again. */
import type { CacheControl } from './cache-control.ts';
import { fitHistory } from './context-window.ts';
import { UnknownOutcomeError } from './chat-history.ts';
import type { Answer, ChatMessage } from './contract.ts';
import { findAnswer, requireCachedAnswer } from './find-answer.ts';
import type { Claim } from './idempotency.ts';
import type { Interaction } from './interaction-row.ts';
import { type OpenConversation, openConversation } from './open-conversation.ts';
import { type QuestionRecord, timed } from './question-record.ts';
import { buildPrompt } from './prompt.ts';
import type { SessionKey } from './row-keys.ts';
import type { Services } from './services.ts';
import { TokenQueue } from './token-queue.ts';

/** A valid question, as it was asked. */
export interface Question {
  question: string;
  sessionId: string;
  /** The id was made for this question. */
  isNewSession: boolean;
  /** Forget this session's history first. */
  newConversation: boolean;
  cacheControl: CacheControl;
  /** Who asks; null when nobody is signed in. */
  userId: string | null;
  /** Names this question, so that repeating it does no more than asking it once. */
  idempotencyKey: string | undefined;
  /** The answer is wanted as it comes. */
  stream: boolean;
}

/** What a question needs of the request that brought it. */
export interface QuestionContext {
  record: QuestionRecord;
  /** Ends the model call; its reason is the {@link AskError} that the caller gets. */
  signal: AbortSignal;
  /** Aborted when the caller left. */
  left: AbortSignal;
  warn: (message: string) => void;
}

/**
 * What happens while a question is answered: a piece of the text came (if it is wanted as a stream), the answer is
 * complete and stored.
 */
export type AnswerEvent = { type: 'token'; text: string } | { type: 'done'; answer: Answer };

/**
 * Answers one question. It goes on to its end, whether the events are taken or not.
 * @throws AskError when there is no answer: the model failed, the deadline passed, or the old conversation could not
 * be forgotten. A chat history that cannot be read or written is no reason not to answer; the metrics say so.
 */
export async function* answerQuestion(
  services: Services,
  asked: Question,
  context: QuestionContext,
): AsyncGenerator<AnswerEvent, void, void> {
  const { config, metrics, http } = services;
  const { record } = context;
  const session: SessionKey = { userId: asked.userId, sessionId: asked.sessionId };

  const done = (interactions: Interaction[]): AnswerEvent => ({
    type: 'done',
    answer: {
      answer: interactions.at(-1)?.answer ?? '',
      chat_history: interactions.slice(-config.historyMaxInteractions).flatMap(toMessages),
      session_id: session.sessionId,
      status: 'success',
      performance_metrics: metrics.report(record, http.openConnections()),
    },
  });

  // A conversation is not forgotten for an answer that is not there.
  if (asked.newConversation && asked.cacheControl.onlyIfCached) await requireCachedAnswer(services, asked);

  const past = await openConversation(services, session, asked, context);
  if ('replayed' in past) {
    record.replayed = record.historySaved = true;
    if (asked.stream) yield { type: 'token', text: past.replayed.at(-1)?.answer ?? '' };
    yield done(past.replayed);
    return;
  }
  const tokens = new TokenQueue();
  const finishing = services.requests.add(finishTurn(services, session, asked, past, context, tokens));
  // Heard below, or by nobody when the caller has left.
  finishing.catch(() => {}).finally(() => tokens.end());
  if (asked.stream) for await (const text of tokens) yield { type: 'token', text };
  yield done([...past.interactions, await finishing]);
}

/** Finds the answer, hands its text on as it comes, and stores it. */
async function finishTurn(
  services: Services,
  session: SessionKey,
  asked: Question,
  past: OpenConversation,
  context: QuestionContext,
  tokens: TokenQueue,
): Promise<Interaction> {
  const { record, warn } = context;
  const onToken = (text: string): void => {
    record.timings.time_to_first_token ||= performance.now() - record.startedAt;
    if (asked.stream) tokens.push(text);
  };
  try {
    const { model, historyMaxTokens } = services.config;
    const history = await fitHistory(past.interactions, historyMaxTokens);
    const prompt = buildPrompt(model.systemPrompt, history, asked.question);
    const answer = await findAnswer({ services, asked, prompt, context, lost: past.lost, onToken });
    record.timings.time_to_first_token ||= performance.now() - record.startedAt;
    const interaction = { question: asked.question, answer };
    record.historySaved = await timed(record, 'history_write', () =>
      save(services, session, past, interaction, warn),
    );
    return interaction;
  } finally {
    // A reset that is still under way stands, whatever became of the answer.
    await Promise.allSettled([past.position]);
    if (past.claim && !record.historySaved && !past.claim.mayBeFulfilled) giveBack(services, past.claim);
  }
}

/** Appends the interaction; false when it could not be stored. */
async function save(
  { history, claims, index, background, warn: warnLater }: Services,
  { userId, sessionId }: SessionKey,
  { position, claim }: OpenConversation,
  interaction: Interaction,
  warn: (message: string) => void,
): Promise<boolean> {
  const after = await position;
  if (after === null) return false;
  const fulfil = claim && ((key: string) => claims.fulfil(claim, key));
  try {
    await history.append({ userId, sessionId }, after, interaction, fulfil);
  } catch (error) {
    if (claim && error instanceof UnknownOutcomeError) claim.mayBeFulfilled = true;
    warn(`The interaction could not be stored: ${String(error)}`);
    return false;
  }
  if (userId !== null) {
    const firstQuestion = after.lastMs === 0 ? interaction.question : undefined;
    const noted = index.note(userId, { sessionId, epoch: after.epoch, firstQuestion });
    // The invocation may be over by then, and its log with it.
    background.add(noted).catch((error) => warnLater(`A session could not be listed: ${String(error)}`));
  }
  return true;
}

/** In the background: who repeats the question meanwhile waits until its lease ends. */
function giveBack({ claims, background, warn }: Services, claim: Claim): void {
  background
    .add(claims.release(claim))
    .catch((error) => warn(`An Idempotency-Key could not be given back: ${String(error)}`));
}

/** What a caller sees of an interaction. */
export const toMessages = ({ question, answer, shortened }: Interaction): ChatMessage[] => [
  { role: 'human', content: question, ...(shortened && { shortened }) },
  { role: 'ai', content: answer, ...(shortened && { shortened }) },
];
