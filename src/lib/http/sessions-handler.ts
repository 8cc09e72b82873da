/** GET and DELETE /sessions/{session_id}, and GET /sessions. */
import type { Session, SessionList } from '../contract/responses.ts';
import type { SessionKey } from '../history/session-rows.ts';
import type { Sessions } from '../history/session-index.ts';
import type { Invocation } from '../common/log.ts';
import { json, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';
import {
  forgetSession,
  listFields,
  listSessions,
  logged,
  readSessionPage,
  sessionFields,
} from './session-access.ts';
import { readSessionId } from './session-path.ts';
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

const positionOf = (request: RawRequest): string | undefined => request.query.get('before') ?? undefined;
