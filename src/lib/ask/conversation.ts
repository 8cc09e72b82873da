/** The conversation that a question belongs to: opened before the question is answered, then extended by the answer. */
import { errors } from '../contract/errors.ts';
import { type ChatHistory, UnknownOutcomeError } from '../history/chat-history.ts';
import type { Claim } from '../history/idempotency.ts';
import { FIRST_POSITION, type Interaction, type Position } from '../history/session-rows.ts';
import type { SessionIndex } from '../history/session-index.ts';
import { timed } from '../telemetry/question-record.ts';
import type { PendingWork } from '../common/pending-work.ts';
import { type ClaimParts, claimQuestion, type KeyedQuestion, type Replay } from './claim-question.ts';
import type { Question, AskContext } from './question.ts';
import { nextTurnOf, windowOf } from './prompt.ts';

/** What {@link createConversations} needs. */
export interface ConversationParts extends ClaimParts {
  index: SessionIndex;
  /** Takes background work. */
  pending: PendingWork;
  /** Logs failures of background work, which may end after the log of the invocation is closed. */
  warn: (message: string) => void;
}

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
  /** Aborts when the new conversation could not be begun; the reason is the error for the caller. */
  resetFailed: AbortSignal;
  /** Appends an interaction. False when it could not be stored. @throws AskError when the reset failed. */
  save(interaction: Interaction): Promise<boolean>;
  /** Call it when the question is finished: waits for the reset, and releases a claim that was not fulfilled. */
  release(): Promise<void>;
}

interface OpenedHistory {
  interactions: Interaction[];
  /** The position to append the answer after. Null when it could not be read; rejects when the reset failed. */
  position: Promise<Position | null>;
  resetFailed: AbortSignal;
}

/** Creates the conversations of this process. */
export function createConversations(parts: ConversationParts): Conversations {
  return {
    async open(question, context) {
      const { idempotencyKey } = question;
      if (idempotencyKey !== undefined) return openClaimed(parts, { ...question, idempotencyKey }, context);
      const opened = await openHistory(parts, question, context);
      return toConversation(parts, question, context, { ...opened, claim: undefined });
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
  // A new conversation is begun only after the claim: once for each question, by the request that answers it.
  const opening = question.newConversation ? undefined : openHistory(parts, question, reading);
  const [claimed, early] = await Promise.all([claiming, opening]);
  if ('replayed' in claimed) return claimed;
  const opened = early && !claimed.waited ? early : await openHistory(parts, question, context);
  return toConversation(parts, question, context, { ...opened, claim: claimed.claim });
}

async function openHistory(
  { history, limits }: ConversationParts,
  question: Question,
  { record, warn }: AskContext,
): Promise<OpenedHistory> {
  const { signal: resetFailed } = new AbortController();
  // The session id was just generated, so there is nothing to read.
  if (question.isNewSession) {
    return { interactions: [], position: Promise.resolve(FIRST_POSITION), resetFailed };
  }
  if (question.newConversation) return beginNewConversation(history, question);
  try {
    const read = () => history.read(question, windowOf(limits.historyMaxInteractions));
    const conversation = await timed(record, 'history_read', read);
    return { interactions: conversation.interactions, position: Promise.resolve(conversation), resetFailed };
  } catch (error) {
    record.historyAvailable = false;
    warn(`Chat history could not be read: ${String(error)}`);
    // Read the position again during the model call, so that the answer can still be stored.
    return { interactions: [], position: history.read(question, 1).catch(() => null), resetFailed };
  }
}

/** Stores the reset in parallel with the model call. A failed reset aborts the model call. */
function beginNewConversation(history: ChatHistory, question: Question): OpenedHistory {
  const failed = new AbortController();
  const position = history.reset(question).catch((error: unknown) => {
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
  { record, warn }: AskContext,
  { interactions, position, resetFailed, claim }: OpenedHistory & { claim: Claim | undefined },
): Conversation {
  const { history, claims, pending } = parts;
  /** The claim was fulfilled, or it is unknown whether it was. Then it must not be released. */
  let claimKept = false;
  return {
    interactions,
    resetFailed,
    async save(interaction) {
      const after = await position;
      if (after === null) return false;
      const fulfil = claim && ((key: string) => claims.fulfil(claim, key));
      try {
        // Without the history, the number of its interactions is not known.
        const turn = record.historyAvailable ? nextTurnOf(interactions) : undefined;
        await history.append(question, after, { ...interaction, turn }, fulfil);
      } catch (error) {
        claimKept = error instanceof UnknownOutcomeError;
        warn(`The interaction could not be stored: ${String(error)}`);
        return false;
      }
      claimKept = true;
      noteInIndex(parts, question, after, interaction);
      return true;
    },
    async release() {
      // The reset is kept even if there is no answer, so it has to finish.
      await Promise.allSettled([position]);
      if (!claim || claimKept) return;
      // In the background: until this is done, or the lease expires, a repeated question waits.
      pending
        .add(claims.release(claim))
        .catch((error) => parts.warn(`An Idempotency-Key could not be released: ${String(error)}`));
    },
  };
}

/** Updates the list of the user's sessions in the background, so the list may lag behind for a moment. */
function noteInIndex(
  { index, pending, warn }: ConversationParts,
  { userId, sessionId }: Question,
  { epoch, lastMs }: Position,
  { question }: Interaction,
): void {
  if (userId === null) return;
  const firstQuestion = lastMs === 0 ? question : undefined;
  pending
    .add(index.note(userId, { sessionId, epoch, firstQuestion }))
    .catch((error) => warn(`The list of sessions could not be updated: ${String(error)}`));
}
