/** GET and DELETE /sessions/{session_id}, and GET /sessions. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { type AskError, errors } from '../contract/errors.ts';
import type { Session, SessionList } from '../contract/responses.ts';
import type { ConversationPage } from '../history/chat-history.ts';
import { toMessages } from '../history/interaction.ts';
import type { SessionKey } from '../history/row-keys.ts';
import { isListPosition, isSessionPosition, type Sessions } from '../history/sessions.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { logError } from '../runtime/log.ts';
import { checkSessionId } from './ask-request.ts';
import { json } from './json-response.ts';
import { readUserId } from './signed-in-user.ts';

/** What the routes of sessions need. */
export interface SessionServices {
  sessions: Sessions;
  config: { trustsUserHeaders: boolean };
}

/** Reads or deletes one session. @throws AskError when the session to read does not exist, or storage fails. */
export async function handleSession(
  { sessions, config }: SessionServices,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  const userId = readUserId(request, config.trustsUserHeaders);
  const session = { userId, sessionId: readSessionId(request) };
  if (request.method === 'GET') return readSession(sessions, session, request, invocation);
  const removed = await sessions.forget(session).catch(failWith(errors.sessionNotDeleted, invocation));
  if (!removed) {
    invocation.log.warn('A session was deleted, but some of its rows remain hidden until the next purge.');
  }
  return { status: 204, headers: { 'Cache-Control': 'no-store' } };
}

async function readSession(
  sessions: Sessions,
  session: SessionKey,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  const position = readPosition(request, isSessionPosition);
  const page = await sessions.read(session, position).catch(failWith(errors.storageUnavailable, invocation));
  if (!page) throw errors.sessionNotFound();
  return json(200, {
    ...sessionFields(session.sessionId, page),
    next: page.before && `/sessions/${encodeURIComponent(session.sessionId)}?before=${page.before}`,
  } satisfies Session);
}

/** Gives the fields of a session with one page of its chat history. */
export const sessionFields = (sessionId: string, page: ConversationPage) => ({
  session_id: sessionId,
  created_at: new Date(page.createdAt).toISOString(),
  updated_at: new Date(page.updatedAt).toISOString(),
  interaction_count: page.count,
  chat_history: page.interactions.flatMap(toMessages),
});

/** Lists the sessions of the signed-in user. @throws AskError when the caller is not signed in, or storage fails. */
export async function handleSessions(
  { sessions, config }: SessionServices,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  const userId = readUserId(request, config.trustsUserHeaders);
  if (userId === null) throw errors.notSignedIn();
  const position = readPosition(request, isListPosition);
  const list = await sessions.list(userId, position).catch(failWith(errors.storageUnavailable, invocation));
  return json(200, {
    sessions: list.sessions.map(({ sessionId, title, createdAt, updatedAt }) => ({
      session_id: sessionId,
      title,
      created_at: new Date(createdAt).toISOString(),
      updated_at: new Date(updatedAt).toISOString(),
    })),
    next: list.before && `/sessions?before=${list.before}`,
  } satisfies SessionList);
}

/** Handles an error of storage: logs its cause, and throws the error for the caller. */
const failWith =
  (toError: (cause: unknown) => AskError, { log }: Invocation) =>
  (cause: unknown): never => {
    const error = toError(cause);
    logError(error, log);
    throw error;
  };

function readPosition(request: HttpRequest, isPosition: (text: string) => boolean): string | undefined {
  const position = request.query.get('before') ?? undefined;
  if (position !== undefined && !isPosition(position)) throw errors.invalidPosition();
  return position;
}

/** Parsed from the URL, because hosts differ in how they decode route parameters. */
function readSessionId(request: HttpRequest): string {
  const encoded = new URL(request.url).pathname.replace(/^.*?\/sessions\//i, '');
  try {
    return checkSessionId(decodeURIComponent(encoded));
  } catch (error) {
    throw error instanceof URIError
      ? errors.invalidField('session_id', 'is not valid percent-encoding')
      : error;
  }
}
