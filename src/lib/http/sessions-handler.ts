/** GET and DELETE /sessions/{session_id}, and GET /sessions. */
import { AskError, errors } from '../contract/errors.ts';
import type { Session, SessionList } from '../contract/responses.ts';
import type { SessionKey } from '../history/session-rows.ts';
import type { Sessions } from '../history/session-index.ts';
import { type Invocation, logError } from '../common/log.ts';
import { checkSessionId } from './ask-request.ts';
import { json, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';
import { forgetSession, listFields, listSessions, readSessionPage, sessionFields } from './session-access.ts';
import { readUserId } from './signed-in-user.ts';

/** What the routes of sessions need. */
export interface SessionServices {
  sessions: Sessions;
  config: { trustsUserHeaders: boolean };
}

/** Reads or deletes one session. @throws AskError when the session to read does not exist, or storage fails. */
export async function handleSession(
  { sessions, config }: SessionServices,
  request: RawRequest,
  { log }: Invocation,
): Promise<Reply> {
  const userId = readUserId(request, config.trustsUserHeaders);
  const session = { userId, sessionId: readSessionId(request) };
  if (request.method === 'GET') return logged(readSession(sessions, session, request), log);
  await logged(forgetSession(sessions, session, log), log);
  return { status: 204, headers: { 'Cache-Control': 'no-store' } };
}

async function readSession(sessions: Sessions, session: SessionKey, request: RawRequest): Promise<Reply> {
  const page = await readSessionPage(sessions, session, positionOf(request));
  return json(200, {
    ...sessionFields(session.sessionId, page),
    next: page.before && `/sessions/${encodeURIComponent(session.sessionId)}?before=${page.before}`,
  } satisfies Session);
}

/** Lists the sessions of the signed-in user. @throws AskError when the caller is not signed in, or storage fails. */
export async function handleSessions(
  { sessions, config }: SessionServices,
  request: RawRequest,
  { log }: Invocation,
): Promise<Reply> {
  const userId = readUserId(request, config.trustsUserHeaders);
  const list = await logged(listSessions(sessions, userId, positionOf(request)), log);
  return json(200, {
    sessions: listFields(list),
    next: list.before && `/sessions?before=${list.before}`,
  } satisfies SessionList);
}

/** Logs the cause of an error for the caller. */
async function logged<T>(work: Promise<T>, log: Invocation['log']): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AskError) logError(error, log);
    throw error;
  }
}

const positionOf = (request: RawRequest): string | undefined => request.query.get('before') ?? undefined;

/**
 * The Azure Functions host decodes a path except for "%2F" and "%5C", and encodes it again: "/" arrives as "%252F".
 * `func start` does the same, the other hosts do not. A session id cannot contain these texts itself.
 */
function readSessionId(request: RawRequest): string {
  const encoded = request.path.replace(/^.*?\/sessions\//i, '');
  try {
    return checkSessionId(decodeURIComponent(encoded).replaceAll(/%(?:2F|5C)/gi, decodeURIComponent));
  } catch (error) {
    throw error instanceof URIError
      ? errors.invalidField('session_id', 'is not valid percent-encoding')
      : error;
  }
}
