/** Reading, listing and deleting sessions. */
import type { PendingWork } from '../runtime/pending-work.ts';
import type { ChatHistory, ConversationPage } from './chat-history.ts';
import { isInteractionOrMarkerKey, type SessionKey } from './row-keys.ts';
import { isListPosition, type SessionIndex, type SessionList } from './session-index.ts';

const PAGE_INTERACTIONS = 50;
const PAGE_SESSIONS = 50;

/** What {@link createSessions} needs. */
export interface SessionsParts {
  history: ChatHistory;
  index: SessionIndex;
  /** Work that has to be finished before the process stops. */
  pending: PendingWork;
}

/** The sessions of all users. Every method rejects when storage fails. */
export interface Sessions {
  /** Reads the newest page, or the page at `position`. Null when the session does not exist, or no longer has it. */
  read(session: SessionKey, position?: string): Promise<ConversationPage | null>;
  /** Lists a page of a user's sessions: the most recently used, or those after `position`. */
  list(userId: string, position?: string): Promise<SessionList>;
  /** Deletes a session. False when some rows are only hidden, and will be removed by the purge. */
  forget(session: SessionKey): Promise<boolean>;
}

/** True for a position that a page of a session may have given. */
export const isSessionPosition = isInteractionOrMarkerKey;
export { isListPosition };

/** Creates the sessions of this process. */
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
