/** The conversation that a question belongs to: opened before the question is answered, then extended by the answer. */
import { type AskError, errors } from '../contract/errors.ts';
import { type ChatHistory, UnknownOutcomeError } from '../history/chat-history.ts';
import { RowConflictError } from '../history/row-store.ts';
import { FIRST_POSITION, type Interaction, type Position } from '../history/session-rows.ts';
import type { SessionIndex } from '../history/session-index.ts';
import { timed } from '../telemetry/question-record.ts';
import type { PendingWork } from '../common/pending-work.ts';
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

/** What became of an interaction. */
interface Saved {
  outcome: 'stored' | 'not stored' | 'unknown';
  /** The key of its row; null unless it is known that it was stored. */
  position: string | null;
  stopped: boolean;
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
      const live = context.cancelled && new LiveAnswer(question.text, context.record.arrivedAt);
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
  // A new conversation is begun only after the claim: once for each question, by the request that answers it.
  const opening = question.newConversation ? undefined : openHistory(parts, question, reading);
  const [claimed, early] = await Promise.all([claiming, opening]);
  if ('replayed' in claimed) return claimed;
  const opened = early && !claimed.waited ? early : await openHistory(parts, question, context);
  return toConversation(parts, question, context, { ...opened, held: claimed.held, live: claimed.live });
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
  if (question.newConversation) return beginNewConversation(history, question, record.arrivedAt);
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

interface Opened extends OpenedHistory {
  /** Undefined without an idempotency key. */
  held: HeldClaim | undefined;
  live: LiveAnswer | undefined;
}

function toConversation(
  parts: ConversationParts,
  question: Question,
  context: AskContext,
  opened: Opened,
): Conversation {
  const { interactions, position, resetFailed, held, live } = opened;
  /** Undefined when there is nothing to store. */
  let saved: Saved | undefined;
  return {
    interactions,
    resetFailed,
    live,
    async save(interaction) {
      saved = await save(parts, { question, context, opened }, interaction);
      return saved;
    },
    async end(thrown) {
      // The reset is kept even if there is no answer, so it has to finish.
      await Promise.allSettled([position, held?.settle()]);
      // The claim has ended with the interaction, or it is unknown whether it has.
      if (!held || (saved && saved.outcome !== 'not stored')) return;
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

/** A question that is being answered. */
interface Answering {
  question: Question;
  context: AskContext;
  opened: Opened;
}

/** Attempts to store an interaction while its claim is changed, as by a stop. */
const MAX_SAVES = 3;

/** Stores an interaction, together with the end of its claim. */
async function save(
  parts: ConversationParts,
  { question, context: { record, warn }, opened }: Answering,
  interaction: Interaction,
): Promise<Saved> {
  const { interactions, held, live } = opened;
  await held?.settle();
  const after = await opened.position;
  live?.seal();
  let stopped = live?.isStopped ?? false;
  if (after === null) return { outcome: 'not stored', position: null, stopped };
  // Without the history, the number of its interactions is not known.
  const turn = record.historyAvailable ? nextTurnOf(interactions) : undefined;
  for (let attempt = 1; ; attempt++) {
    const stored = { ...interaction, ...(stopped && { stopped }), turn };
    const state = stopped ? 'stopped' : 'answered';
    const alongside = held && ((key: string) => parts.claims.fulfil(held.claim, state, key));
    try {
      const options = { askedAt: record.arrivedAt, alongside };
      const position = await parts.history.append(question, after, stored, options);
      noteInIndex(parts, question, after, interaction);
      return { outcome: 'stored', position, stopped };
    } catch (error) {
      const changed = held && error instanceof RowConflictError && attempt < MAX_SAVES;
      const status = changed ? await parts.claims.refresh(held.claim).catch(() => 'lost') : 'lost';
      if (status === 'stopping') stopped = true;
      if (status !== 'lost') continue;
      warn(`The interaction could not be stored: ${String(error)}`);
      const outcome = error instanceof UnknownOutcomeError ? 'unknown' : 'not stored';
      return { outcome, position: null, stopped };
    }
  }
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
