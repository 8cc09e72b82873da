/** The conversation that a question belongs to: opened before the answer, and extended by it. */
import { errors } from '../contract/errors.ts';
import { type ChatHistory, UnknownOutcomeError } from '../history/chat-history.ts';
import type { Claim } from '../history/idempotency.ts';
import type { Interaction } from '../history/interaction.ts';
import { FIRST_POSITION, type Position } from '../history/row-keys.ts';
import type { SessionIndex } from '../history/session-index.ts';
import { timed } from '../metrics/question-record.ts';
import type { PendingWork } from '../runtime/pending-work.ts';
import { type ClaimParts, claimQuestion, type Replay } from './claim-question.ts';
import type { Question, QuestionContext } from './question.ts';

/** What conversations are made of. */
export interface ConversationParts extends ClaimParts {
  index: SessionIndex;
  /** Takes what no answer waits for. */
  pending: PendingWork;
  /** For what goes wrong when the question is over. */
  warn: (message: string) => void;
}

/** The conversations of all sessions. */
export interface Conversations {
  /**
   * Opens the conversation of a question, or finds that the question was answered already.
   * @throws AskError when the question's key was used for another one, or when it cannot be looked up.
   */
  open(question: Question, context: QuestionContext): Promise<Conversation | Replay>;
}

/** A conversation that is ready for an answer. */
export interface Conversation {
  /** What is read of its history, oldest first. */
  interactions: Interaction[];
  /** Aborted when a new conversation could not be begun; its reason is the error for the caller. */
  resetFailed: AbortSignal;
  /** Appends an interaction. False when it could not be stored. @throws AskError when the reset failed. */
  save(interaction: Interaction): Promise<boolean>;
  /** To be called when the question is over: ends the reset, and gives a claim back that led to no stored answer. */
  release(): Promise<void>;
}

/** What is known of a conversation when it was opened. */
interface Opened {
  interactions: Interaction[];
  /** Where the answer is to be appended: null when that could not be found out, rejected when a reset failed. */
  position: Promise<Position | null>;
  resetFailed: AbortSignal;
}

/** Makes the conversations of this process. */
export function createConversations(parts: ConversationParts): Conversations {
  return {
    async open(question, context) {
      const claiming = claimQuestion(parts, question, context);
      // A conversation is begun anew once, by whoever answers the question.
      const opening = question.newConversation ? undefined : openHistory(parts, question, context);
      const [claimed, early] = await Promise.all([claiming, opening]);
      if ('replayed' in claimed) return claimed;
      const opened = early && !claimed.waited ? early : await openHistory(parts, question, context);
      return toConversation(parts, question, context, { ...opened, claim: claimed.claim });
    },
  };
}

async function openHistory(
  { history, limits }: ConversationParts,
  question: Question,
  { record, warn }: QuestionContext,
): Promise<Opened> {
  const { signal: resetFailed } = new AbortController();
  // Nobody has used a session id that was made just now.
  if (question.isNewSession) {
    return { interactions: [], position: Promise.resolve(FIRST_POSITION), resetFailed };
  }
  if (question.newConversation) return beginAnew(history, question);
  try {
    const read = () => history.read(question, limits.historyMaxInteractions);
    const conversation = await timed(record, 'history_read', read);
    return { interactions: conversation.interactions, position: Promise.resolve(conversation), resetFailed };
  } catch (error) {
    record.historyAvailable = false;
    warn(`Chat history could not be read: ${String(error)}`);
    // Tried once more while the model works, for the place where the answer is to be appended.
    return { interactions: [], position: history.read(question, 1).catch(() => null), resetFailed };
  }
}

/** The reset is stored beside the model call, which ends when it fails. */
function beginAnew(history: ChatHistory, question: Question): Opened {
  const failed = new AbortController();
  const position = history.reset(question).catch((error: unknown) => {
    const notReset = errors.historyNotReset(error);
    failed.abort(notReset);
    throw notReset;
  });
  // It is awaited when the answer is there; until then nobody listens.
  position.catch(() => {});
  return { interactions: [], position, resetFailed: failed.signal };
}

function toConversation(
  parts: ConversationParts,
  question: Question,
  { warn }: QuestionContext,
  { interactions, position, resetFailed, claim }: Opened & { claim: Claim | undefined },
): Conversation {
  const { history, claims, pending } = parts;
  /** The claim leads to a stored answer, or may do so although that could not be seen. */
  let claimKept = false;
  return {
    interactions,
    resetFailed,
    async save(interaction) {
      const after = await position;
      if (after === null) return false;
      const fulfil = claim && ((key: string) => claims.fulfil(claim, key));
      try {
        await history.append(question, after, interaction, fulfil);
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
      // A reset that is still under way stands, whatever became of the answer.
      await Promise.allSettled([position]);
      if (!claim || claimKept) return;
      // Whoever repeats the question meanwhile waits until its lease ends.
      pending
        .add(claims.release(claim))
        .catch((error) => parts.warn(`An Idempotency-Key could not be given back: ${String(error)}`));
    },
  };
}

/** In the background: the list of a user's sessions may be a moment behind. */
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
    .catch((error) => warn(`A session could not be listed: ${String(error)}`));
}
