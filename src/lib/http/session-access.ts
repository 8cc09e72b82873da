/** Reading, deleting and listing sessions, for HTTP and for agents. */
import { AskError, errors } from '../contract/errors.ts';
import { type SessionKey, toMessages } from '../history/session-rows.ts';
import type { SessionList } from '../history/session-index.ts';
import { isListPosition } from '../history/session-index-rows.ts';
import { isSessionPosition, type SessionPage, type Sessions } from '../history/sessions.ts';
import { type Invocation, logError } from '../common/log.ts';

/** Reads the newest page of a session, or the page at `position`. @throws AskError when there is none. */
export async function readSessionPage(
  sessions: Sessions,
  session: SessionKey,
  position: string | undefined,
): Promise<SessionPage> {
  if (position !== undefined && !isSessionPosition(position)) throw errors.invalidPosition();
  const page = await sessions.read(session, position).catch(failAs(errors.storageUnavailable));
  if (!page) throw errors.sessionNotFound();
  return page;
}

/**
 * Copies a session, or what is before `position`, to a new one, and gives its id.
 * @throws AskError when there is none, or storage fails.
 */
export async function copySession(
  sessions: Sessions,
  session: SessionKey,
  position: string | undefined,
): Promise<string> {
  const id = await sessions.copy(session, position).catch(failAs(errors.sessionNotCopied));
  if (id === null) throw errors.sessionNotFound();
  return id;
}

/** Deletes a session; also succeeds when there is none. @throws AskError when storage fails. */
export async function forgetSession(
  sessions: Sessions,
  session: SessionKey,
  log: Invocation['log'],
): Promise<void> {
  const removed = await sessions.forget(session).catch(failAs(errors.sessionNotDeleted));
  if (!removed) log.warn('A session was deleted, but some of its rows remain hidden until the next purge.');
}

/** Gives the fields of a session without its chat history. */
export const sessionFields = (sessionId: string, page: SessionPage) => ({
  session_id: sessionId,
  created_at: new Date(page.createdAt).toISOString(),
  updated_at: new Date(page.updatedAt).toISOString(),
  interaction_count: page.count,
});

/** The same with one page of its chat history. */
export const pageFields = (sessionId: string, page: SessionPage) => ({
  ...sessionFields(sessionId, page),
  chat_history: page.interactions.flatMap(toMessages),
});

/** Lists the newest sessions of a user, or the page at `position`. @throws AskError when nobody is signed in. */
export async function listSessions(
  sessions: Sessions,
  userId: string | null,
  position: string | undefined,
): Promise<SessionList> {
  if (userId === null) throw errors.notSignedIn();
  if (position !== undefined && !isListPosition(position)) throw errors.invalidPosition();
  return sessions.list(userId, position).catch(failAs(errors.storageUnavailable));
}

/** Gives the fields of the sessions in a list. */
export const listFields = ({ sessions }: SessionList) =>
  sessions.map(({ sessionId, title, createdAt, updatedAt }) => ({
    session_id: sessionId,
    title,
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  }));

/** Logs the cause of an error for the caller. */
export async function logged<T>(work: Promise<T>, log: Invocation['log']): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AskError) logError(error, log);
    throw error;
  }
}

/** Handles an error of storage: throws the error for the caller, with it as the cause. */
const failAs =
  (toError: (cause: unknown) => AskError) =>
  (cause: unknown): never => {
    throw toError(cause);
  };
