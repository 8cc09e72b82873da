/** GET and DELETE /sessions/{session_id}, and GET /sessions. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { toMessages } from './answer-question.ts';
import { checkSessionId } from './ask-request.ts';
import type { Session, SessionList } from './contract.ts';
import { type AskError, errors } from './errors.ts';
import type { Invocation } from './http-response.ts';
import { logError } from './log.ts';
import { isInteractionOrMarkerKey } from './row-keys.ts';
import type { Services } from './services.ts';
import { isListPosition } from './session-index.ts';
import { readUserId } from './signed-in-user.ts';

const PAGE_INTERACTIONS = 50;
const PAGE_SESSIONS = 50;

/** Reads or forgets one session. @throws AskError when there is none, or storage fails. */
export async function handleSession(
  services: Services,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  const userId = readUserId(request, services.config.trustsUserHeaders);
  const session = { userId, sessionId: readSessionId(request) };
  if (request.method === 'GET') return readSession(services, session, request, invocation);
  if (request.method !== 'DELETE') throw errors.methodNotAllowed('GET, DELETE');

  const { history, index, background } = services;
  const { position, removed } = await history
    .delete(session)
    .catch(failWith(errors.sessionNotDeleted, invocation));
  if (!removed) invocation.log.warn('A deleted session is hidden, and its rows are left to the purge.');
  if (userId !== null) {
    const forgotten = index.forget(userId, session.sessionId, position.epoch);
    await background.add(forgotten).catch(failWith(errors.sessionNotDeleted, invocation));
  }
  return { status: 204, headers: { 'Cache-Control': 'no-store' } };
}

async function readSession(
  { history }: Services,
  session: { userId: string | null; sessionId: string },
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  const before = request.query.get('before') ?? undefined;
  if (before !== undefined && !isInteractionOrMarkerKey(before)) throw errors.invalidPosition();
  const page = await history
    .readPage(session, PAGE_INTERACTIONS, before)
    .catch(failWith(errors.storageUnavailable, invocation));
  if (!page) throw errors.sessionNotFound();
  return json({
    session_id: session.sessionId,
    created_at: new Date(page.createdAt).toISOString(),
    updated_at: new Date(page.updatedAt).toISOString(),
    interaction_count: page.count,
    chat_history: page.interactions.flatMap(toMessages),
    next: page.before && `/sessions/${encodeURIComponent(session.sessionId)}?before=${page.before}`,
  });
}

/** Lists the sessions of the user who asks. @throws AskError when nobody is signed in, or storage fails. */
export async function handleSessions(
  services: Services,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  if (request.method !== 'GET') throw errors.methodNotAllowed('GET');
  const userId = readUserId(request, services.config.trustsUserHeaders);
  if (userId === null) throw errors.notSignedIn();
  const before = request.query.get('before') ?? undefined;
  if (before !== undefined && !isListPosition(before)) throw errors.invalidPosition();
  const list = await services.index
    .list(userId, PAGE_SESSIONS, before)
    .catch(failWith(errors.storageUnavailable, invocation));
  return json({
    sessions: list.sessions.map(({ sessionId, title, createdAt, updatedAt }) => ({
      session_id: sessionId,
      title,
      created_at: new Date(createdAt).toISOString(),
      updated_at: new Date(updatedAt).toISOString(),
    })),
    next: list.before && `/sessions?before=${list.before}`,
  });
}

/** For what storage throws: says in the log why, and throws what the caller is told. */
const failWith =
  (toError: (cause: unknown) => AskError, { log }: Invocation) =>
  (cause: unknown): never => {
    const error = toError(cause);
    logError(error, log);
    throw error;
  };

/** From the address itself: hosts disagree about what of a route parameter is decoded. */
function readSessionId(request: HttpRequest): string {
  const encoded = new URL(request.url).pathname.replace(/^.*?\/sessions\//i, '');
  try {
    return checkSessionId(decodeURIComponent(encoded));
  } catch (error) {
    throw error instanceof URIError
      ? errors.invalidField('session_id', 'is not encoded rightly in the address')
      : error;
  }
}

const json = (body: Session | SessionList): HttpResponseInit => ({
  status: 200,
  headers: { 'Cache-Control': 'no-store' },
  jsonBody: body,
});
