/** Sessions as their users see them: read back, listed and forgotten. */
import type { PendingWork } from '../runtime/pending-work.ts';
import type { ChatHistory, ConversationPage } from './chat-history.ts';
import { isInteractionOrMarkerKey, type SessionKey } from './row-keys.ts';
import { isListPosition, type SessionIndex, type SessionList } from './session-index.ts';

const PAGE_INTERACTIONS = 50;
const PAGE_SESSIONS = 50;

/** What sessions are kept in. */
export interface SessionsParts {
  history: ChatHistory;
  index: SessionIndex;
  /** Takes what must not be lost when the process stops. */
  pending: PendingWork;
}

/** The sessions of all users. Every method rejects when storage fails. */
export interface Sessions {
  /** Reads a page: the newest, or the one at a position. Null when there is no such session, or not there any more. */
  read(session: SessionKey, position?: string): Promise<ConversationPage | null>;
  /** Lists a page of a user's sessions: those used last, or those after a position. */
  list(userId: string, position?: string): Promise<SessionList>;
  /** Forgets a session. False when its rows are only hidden, and left to the purge. */
  forget(session: SessionKey): Promise<boolean>;
}

/** True for what a page of a session may have named as the position of the next. */
export const isSessionPosition = isInteractionOrMarkerKey;
export { isListPosition };

/** Gives them. */
export function createSessions({ history, index, pending }: SessionsParts): Sessions {
  return {
    read: (session, position) => history.readPage(session, PAGE_INTERACTIONS, position),
    list: (userId, position) => index.list(userId, PAGE_SESSIONS, position),
    async forget(session) {
      const { position, removed } = await history.delete(session);
      const { userId, sessionId } = session;
      if (userId !== null) await pending.add(index.forget(userId, sessionId, position.epoch));
      return removed;
    },
  };
}
