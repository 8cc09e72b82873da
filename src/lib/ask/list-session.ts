/**
 * The session of a question in the list of the user's sessions. It is put there before it has any row, so that an erasure of
 * the user finds all rows (docs/decisions/sessions.md).
 */
import type { ChatHistory } from '../history/chat-history.ts';
import { FORGOTTEN, type SessionIndex } from '../history/session-index.ts';
import type { Position } from '../history/session-rows.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { Question } from './question.ts';

/** The user of a question, who is known. */
type ListedQuestion = Pick<Question, 'sessionId' | 'text'> & { userId: string };

/** What {@link listSession} needs. */
export interface ListingParts {
  history: ChatHistory;
  index: SessionIndex;
  /** Takes background work. */
  pending: PendingWork;
  /** Logs failures of background work, which may end after the log of the invocation is closed. */
  warn: (message: string) => void;
}

/** The place of a session in the list. */
export interface Listing {
  /** Resolves to whether rows may be stored: the session is in the list, or its user is not known. Never rejects. */
  ready: Promise<boolean>;
  /**
   * Records, in the background, that an interaction was stored. If the conversation was deleted meanwhile, removes the rows
   * with these keys, which the deletion may have missed.
   */
  note(after: Position, keys: string[]): void;
  /** Takes an announced session out of the list again, because there is no answer. */
  takeBack(): void;
}

/**
 * Puts the session of a first question into the list, beside the model call. Lists show it at once when it is to be
 * announced, otherwise after its first answer. `position` is that of the conversation, as soon as it is known.
 */
export function listSession(
  parts: ListingParts,
  { userId, sessionId, text }: ListedQuestion,
  position: Promise<Position | null>,
  { announce }: { announce: boolean },
): Listing {
  const session = { userId, sessionId };
  const { index, history, pending, warn } = parts;
  const failed = (error: unknown): void =>
    warn(`The list of sessions could not be updated: ${String(error)}`);

  const enter = async (): Promise<number | typeof FORGOTTEN | undefined> => {
    // A failed reset is reported elsewhere.
    const after = await position.catch(() => null);
    if (after?.lastMs !== 0) return undefined;
    const { epoch } = after;
    if (announce) return index.note(userId, { sessionId, epoch, firstQuestion: text });
    await index.reserve(userId, sessionId, epoch);
    return undefined;
  };
  const entered = pending.add(enter());
  const ready = entered.then(
    () => true,
    (error) => {
      failed(error);
      return false;
    },
  );

  const note = async ({ epoch, lastMs }: Position, keys: string[]): Promise<void> => {
    const firstQuestion = lastMs === 0 ? text : undefined;
    const noted = await index.note(userId, { sessionId, epoch, firstQuestion });
    if (noted === FORGOTTEN) await history.remove(session, keys);
  };

  const takeBack = async (): Promise<void> => {
    const noted = await entered.catch(() => undefined);
    if (noted === undefined || noted === FORGOTTEN) return;
    // Another question of the conversation may have been answered meanwhile.
    const { interactions } = await history.read(session, 1);
    if (interactions.length === 0) await index.takeBack(userId, sessionId, noted);
  };

  return {
    ready,
    note: (after, keys) => void pending.add(note(after, keys)).catch(failed),
    takeBack: () => void pending.add(takeBack()).catch(failed),
  };
}
