/** Sessions as callers see them: a page with what is being answered, the list of a user, copies and deletions. */
import { randomUUID } from 'node:crypto';
import type { PendingWork } from '../common/pending-work.ts';
import type { StoredAnswer } from './answer-rows.ts';
import type { ConversationPage } from './chat-history.ts';
import type { Claims } from './idempotency.ts';
import { copyConversation, type CopyParts } from './session-copy.ts';
import { FORGOTTEN, type SessionList } from './session-index.ts';
import { isInteractionOrMarkerKey, type SessionKey } from './session-rows.ts';

const PAGE_INTERACTIONS = 50;
const PAGE_SESSIONS = 50;

/** The answers in progress in this process, which a higher layer has. */
export interface AnswersInProgress {
  /** Stops those of a session, or of a user if there is no session id: their conversations were deleted. */
  forget(session: Pick<SessionKey, 'userId'> & Partial<SessionKey>): void;
}

/** What {@link createSessions} needs. */
export interface SessionsParts extends CopyParts {
  claims: Claims;
  live: AnswersInProgress;
  /** Work that has to be finished before the process stops. */
  pending: PendingWork;
  warn: (message: string) => void;
}

/** A page of a session. */
export interface SessionPage extends Omit<ConversationPage, 'epoch'> {
  /** The questions in progress, in the order of asking. Only of the newest page. */
  answering?: StoredAnswer[];
}

/** The sessions of all users. Every method rejects when storage fails. */
export interface Sessions {
  /** Reads the newest page, or the page at `position`. Null when the session does not exist, or no longer has it. */
  read(session: SessionKey, position?: string): Promise<SessionPage | null>;
  /** Lists a page of a user's sessions: the most recently used, or those after `position`. */
  list(userId: string, position?: string): Promise<SessionList>;
  /**
   * Copies a conversation, or the part of it before `position`, to a new session, and gives its id. Null when the session
   * does not exist, or no longer has the position.
   */
  copy(session: SessionKey, position?: string): Promise<string | null>;
  /**
   * Gives the id of the session in which a conversation goes on after the interaction that was stored with the UUID `id`:
   * its own session if that is its newest one, otherwise a copy of the conversation up to it. Null when the current
   * conversation has no such interaction.
   */
  resume(session: SessionKey, id: string): Promise<string | null>;
  /** Deletes a session. False when some rows are only hidden, and will be removed by the purge. */
  forget(session: SessionKey): Promise<boolean>;
}

/** True for a position that a page of a session may have given. */
export const isSessionPosition = isInteractionOrMarkerKey;

/** Creates the sessions of this process. */
export function createSessions(parts: SessionsParts): Sessions {
  const { history, index, pending, warn, live } = parts;

  async function copy(session: SessionKey, position?: string): Promise<string | null> {
    // Nobody knows the id before the copy is complete.
    const target = { userId: session.userId, sessionId: randomUUID() };
    const copied = await copyConversation(parts, session, target, position);
    if (!copied) return null;
    if (target.userId !== null && copied.firstQuestion !== undefined) {
      const entry = { sessionId: target.sessionId, epoch: 0, firstQuestion: copied.firstQuestion };
      const noted = await pending
        .add(index.note(target.userId, entry))
        .catch((error) => warn(`The list of sessions could not be updated: ${String(error)}`));
      // Everything of the user was deleted meanwhile.
      if (noted === FORGOTTEN) {
        await history.delete(target);
        return null;
      }
    }
    return target.sessionId;
  }

  return {
    read: (session, position) =>
      position === undefined
        ? readNewest(parts, session)
        : history.readPage(session, PAGE_INTERACTIONS, position),
    list: (userId, position) => index.list(userId, PAGE_SESSIONS, position),
    copy,
    async resume(session, id) {
      const { keys } = await history.readKeys(session);
      const at = keys.findIndex((key) => key.endsWith(`-${id}`));
      if (at < 0) return null;
      return at === 0 ? session.sessionId : copy(session, keys[at - 1]);
    },
    async forget(session) {
      const { position, removed } = await history.delete(session);
      live.forget(session);
      const { userId, sessionId } = session;
      if (userId !== null) await pending.add(index.forget(userId, sessionId, position.epoch));
      return removed;
    },
  };
}

/** Reads the newest page, and at the same time what is being answered. */
async function readNewest(
  { history, claims }: SessionsParts,
  session: SessionKey,
): Promise<SessionPage | null> {
  const [all, page] = await Promise.all([
    claims.answering(session),
    history.readPage(session, PAGE_INTERACTIONS),
  ]);
  if (all.length === 0) return page && { ...page, answering: [] };
  const { epoch } = page ?? (await history.read(session, 1));
  // A question of a conversation that was forgotten meanwhile came before the new one began.
  const answering = all.filter(({ startedAt }) => startedAt >= epoch);
  const [first, last] = [answering[0], answering.at(-1)];
  if (page) return { ...page, answering };
  if (!first || !last) return null;
  const { startedAt: createdAt } = first;
  return { interactions: [], count: 0, createdAt, updatedAt: last.startedAt, before: null, answering };
}
