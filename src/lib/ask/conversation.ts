/** The conversation that a question belongs to: opened before the question is answered, then extended by the answer. */
import { type AskError, errors } from '../contract/errors.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import { FIRST_POSITION, type Interaction } from '../history/session-rows.ts';
import { timed } from '../telemetry/question-record.ts';
import {
  type ClaimParts,
  claimQuestion,
  type HeldClaim,
  type KeyedQuestion,
  rememberUntil,
  type Replay,
} from './claim-question.ts';
import { LiveAnswer } from './live-answer.ts';
import type { Question, AskContext } from './question.ts';
import { windowOf } from './prompt.ts';
import { type Listing, listSession } from './list-session.ts';
import { type Place, type Saved, saveInteraction, type SaveParts } from './save-interaction.ts';

/** What {@link createConversations} needs. */
export interface ConversationParts extends ClaimParts, SaveParts {}

/** The conversations of all sessions. */
export interface Conversations {
  /**
   * Opens the conversation of a question, or gives the stored answer when the question was answered before.
   * @throws AskError when the idempotency key was used for another question, or cannot be looked up.
   */
  open(question: Question, context: AskContext): Promise<Conversation | Replay>;
}

/** A conversation that is ready for an answer. */
export interface Conversation {
  /** The history for the prompt, oldest first. */
  interactions: Interaction[];
  /** Aborts when the new conversation could not be begun; the reason is the error for the caller. Undefined without one. */
  resetFailed: AbortSignal | undefined;
  /** The answer while it is in progress; undefined when nobody can stop it. */
  live: LiveAnswer | undefined;
  /** Appends an interaction, as stopped if the answer was stopped. @throws AskError when the reset failed. */
  save(interaction: Interaction): Promise<Saved>;
  /**
   * Call it when the question is finished, with its error if it has failed: waits for the reset, and ends a claim that has
   * no interaction.
   */
  end(error?: unknown): Promise<void>;
}

/** That of a session without a known user, or without rows. */
const UNLISTED: Listing = { ready: Promise.resolve(true), note() {}, takeBack() {} };

interface OpenedHistory extends Pick<Place, 'interactions' | 'position'> {
  resetFailed?: AbortSignal;
}

/** That of a question with the whole prompt. */
const noConversation = (): Conversation => ({
  interactions: [],
  resetFailed: undefined,
  live: undefined,
  save: async () => ({ outcome: 'not stored', position: null, stopped: false }),
  end: async () => {},
});

/** Creates the conversations of this process. */
export function createConversations(parts: ConversationParts): Conversations {
  return {
    async open(question, context) {
      if (question.prompt) return noConversation();
      const { idempotencyKey } = question;
      if (idempotencyKey !== undefined) return openClaimed(parts, { ...question, idempotencyKey }, context);
      const opened = await openHistory(parts, question, context);
      const live = new LiveAnswer(question.text, context.record.arrivedAt);
      parts.live.track(question, live);
      return toConversation(parts, question, context, { ...opened, held: undefined, live });
    },
  };
}

/** Claims the question and reads the history at the same time. */
async function openClaimed(
  parts: ConversationParts,
  question: KeyedQuestion,
  context: AskContext,
): Promise<Conversation | Replay> {
  const claiming = claimQuestion(parts, question, context);
  // A failed claim ends the invocation, whose log is then closed, while the history is still being read.
  let { warn } = context;
  claiming.catch(() => void ({ warn } = parts));
  const reading = { ...context, warn: (message: string) => warn(message) };
  // A new conversation is begun only after the claim: once for each question, by the request that answers it. And after
  // its answer, a question finds no longer what it has replaced.
  const isLater = question.newConversation || question.replaces !== undefined;
  const opening = isLater ? undefined : openHistory(parts, question, reading);
  const [claimed, early] = await Promise.all([claiming, opening]);
  if ('replayed' in claimed) return claimed;
  const { held, live, waited } = claimed;
  try {
    const opened = early && !waited ? early : await openHistory(parts, question, context);
    return toConversation(parts, question, context, { ...opened, held, live });
  } catch (error) {
    live.fail(error);
    await held.settle();
    endClaim(parts, held, live.failureOf(error));
    throw error;
  }
}

/** @throws AskError when the interaction to replace is gone, or cannot be read. */
async function openHistory(
  { history, limits }: ConversationParts,
  question: Question,
  { record, warn }: AskContext,
): Promise<OpenedHistory> {
  // The session id was just generated, so there is nothing to read.
  if (question.isNewSession) return { interactions: [], position: Promise.resolve(FIRST_POSITION) };
  if (question.newConversation) return beginNewConversation(history, question, record.arrivedAt);
  const limit = windowOf(limits.historyMaxInteractions);
  const { replaces } = question;
  if (replaces !== undefined) {
    const read = () => history.readBefore(question, replaces, limit);
    const before = await timed(record, 'history_read', read).catch((error: unknown) => {
      throw errors.storageUnavailable(error);
    });
    if (!before) throw errors.interactionGone();
    return { interactions: before.interactions, position: Promise.resolve(before) };
  }
  try {
    const read = () => history.read(question, limit);
    const conversation = await timed(record, 'history_read', read);
    return { interactions: conversation.interactions, position: Promise.resolve(conversation) };
  } catch (error) {
    record.historyAvailable = false;
    warn(`Chat history could not be read: ${String(error)}`);
    // Read the position again during the model call, so that the answer can still be stored.
    return { interactions: [], position: history.read(question, 1).catch(() => null) };
  }
}

/** Stores the reset in parallel with the model call. A failed reset aborts the model call. */
function beginNewConversation(history: ChatHistory, question: Question, askedAt: number): OpenedHistory {
  const failed = new AbortController();
  const position = history.reset(question, askedAt).catch((error: unknown) => {
    const notReset = errors.historyNotReset(error);
    failed.abort(notReset);
    throw notReset;
  });
  // Only awaited after the model call: a rejection before must not count as unhandled.
  position.catch(() => {});
  return { interactions: [], position, resetFailed: failed.signal };
}

function toConversation(
  parts: ConversationParts,
  question: Question,
  context: AskContext,
  opened: OpenedHistory & Omit<Place, 'listing'>,
): Conversation {
  const { interactions, position, resetFailed, held, live } = opened;
  /** Undefined when there is nothing to store. */
  let saved: Saved | undefined;
  const { userId } = question;
  const isListed = userId !== null && (question.isStored !== false || held !== undefined);
  const listing = isListed
    ? listSession(parts, { ...question, userId }, position, { announce: held !== undefined })
    : UNLISTED;
  return {
    interactions,
    resetFailed,
    live,
    async save(interaction) {
      saved = await saveInteraction(parts, { question, context }, { ...opened, listing }, interaction);
      return saved;
    },
    async end(thrown) {
      // The reset is kept even if there is no answer, so it has to finish.
      await Promise.allSettled([position, held?.settle()]);
      // The claim has ended with the interaction, or it is unknown whether it has.
      if (!held || (saved && saved.outcome !== 'not stored')) return;
      listing.takeBack();
      if (saved) endClaim(parts, held, errors.answerNotStored());
      else endClaim(parts, held, thrown === undefined ? undefined : live?.failureOf(thrown));
    },
  };
}

/** Ends a claim without an interaction: with its failure, or because the answer was stopped before its first text. */
function endClaim(parts: ConversationParts, { claim }: HeldClaim, failure: AskError | undefined): void {
  const { claims, pending, warn, limits } = parts;
  const state = failure ? 'failed' : 'stopped';
  // In the background: until this is done, or the lease expires, a repeated question waits.
  pending
    .add(claims.end(claim, { state, failure, rememberUntil: rememberUntil(limits) }))
    .catch((error) => warn(`The end of an answer could not be stored: ${String(error)}`));
}
