/** GET and DELETE /sessions/{session_id}, its copy, and GET /sessions. */
import type { Config } from '../config/config.ts';
import type { Session, SessionCopy, SessionList } from '../contract/responses.ts';
import type { StoredAnswer } from '../history/answer-rows.ts';
import { type SessionKey, toMessages } from '../history/session-rows.ts';
import type { Sessions } from '../history/sessions.ts';
import type { Invocation } from '../common/log.ts';
import { readCopyFields } from './ask-request.ts';
import { startDeadline } from './asked-question.ts';
import { json, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';
import {
  copySession,
  forgetSession,
  listFields,
  listSessions,
  logged,
  readSessionPage,
  sessionFields,
} from './session-access.ts';
import { readSession } from './session-path.ts';
import { readUserId } from './user.ts';

/** What the routes of sessions need. */
export interface SessionServices {
  sessions: Sessions;
  config: Pick<Config, 'users' | 'requestTimeoutMs'>;
  /** Aborts when the process stops and open requests have to end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
}

/** Reads or deletes one session. @throws AskError when the session to read does not exist, or storage fails. */
export async function handleSession(
  { sessions, config }: SessionServices,
  request: RawRequest,
  { log }: Invocation,
): Promise<Reply> {
  const session = readSession(request, config);
  if (request.method === 'GET') return logged(readPage(sessions, session, request), log);
  await logged(forgetSession(sessions, session, log), log);
  return { status: 204, headers: { 'Cache-Control': 'no-store' } };
}

async function readPage(sessions: Sessions, session: SessionKey, request: RawRequest): Promise<Reply> {
  const page = await readSessionPage(sessions, session, positionOf(request));
  const { answering } = page;
  return json(200, {
    ...sessionFields(session.sessionId, page),
    chat_history: page.interactions.flatMap((interaction) =>
      toMessages(interaction).map((message) => ({ ...message, position: interaction.position })),
    ),
    ...(answering && { answering: answering.map(toAnswering) }),
    next: page.before && `/sessions/${encodeURIComponent(session.sessionId)}?before=${page.before}`,
  } satisfies Session);
}

const toAnswering = ({ key, question = '', startedAt }: StoredAnswer) => ({
  key,
  question,
  started_at: new Date(startedAt).toISOString(),
});

/** Copies a session. @throws AskError when it does not exist, the body is invalid, or storage fails. */
export async function handleCopy(
  { sessions, config, stopSignal }: SessionServices,
  request: RawRequest,
  { log }: Invocation,
): Promise<Reply> {
  const session = readSession(request, config);
  const { signal, clear } = startDeadline(config.requestTimeoutMs, stopSignal, () => false);
  const { before } = await readCopyFields(request, signal).finally(clear);
  const id = await logged(copySession(sessions, session, before ?? undefined), log);
  return json(201, { session_id: id } satisfies SessionCopy);
}

/** Lists the sessions of the user. @throws AskError when the caller is not signed in, or storage fails. */
export async function handleSessions(
  { sessions, config }: SessionServices,
  request: RawRequest,
  { log }: Invocation,
): Promise<Reply> {
  const userId = readUserId(request, config.users);
  const list = await logged(listSessions(sessions, userId, positionOf(request)), log);
  return json(200, {
    sessions: listFields(list),
    next: list.before && `/sessions?before=${list.before}`,
  } satisfies SessionList);
}

const positionOf = (request: RawRequest): string | undefined => request.query.get('before') ?? undefined;
