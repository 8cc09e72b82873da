/** Client of the sessions. */
import type { ChatMessage, Session, SessionCopy, SessionList } from '../../src/lib/contract/responses.ts';
import { AskFailure, failureOf } from './failure.ts';
import { send } from './request.ts';

/** A page of a session, oldest message first. `next` is the address of the page before it; null when there is none. */
export interface SessionPage {
  messages: ChatMessage[];
  next: string | null;
  /** The questions that are being answered. */
  answering: NonNullable<Session['answering']>;
}

/**
 * Reads the newest page of a session. Empty for unknown sessions.
 * @throws AskFailure
 */
export async function readSession(sessionId: string, signal: AbortSignal): Promise<SessionPage> {
  const response = await send(pathOf(sessionId), { signal });
  if (response.status === 404) return { messages: [], next: null, answering: [] };
  return pageOf(response);
}

/**
 * Reads the page at an address that another page has as its `next`.
 * @throws AskFailure
 */
export async function readEarlierPage(next: string, signal: AbortSignal): Promise<SessionPage> {
  return pageOf(await send(checked(next, /^\/sessions\/[^/]/), { signal }));
}

/**
 * Lists the sessions of the signed-in user: the newest page, or the one at the address `next` of another page.
 * @throws AskFailure with the code `not_signed_in` when there is no user.
 */
export async function listSessions(next: string | null): Promise<SessionList> {
  const response = await send(next === null ? '/sessions' : checked(next, /^\/sessions\?/), {});
  if (!response.ok) throw await failureOf(response);
  return (await response.json()) as SessionList;
}

/** Copies what is before a position of a session to a new one. Returns its id. @throws AskFailure */
export async function copySession(sessionId: string, before: string): Promise<string> {
  const response = await send(`${pathOf(sessionId)}/copy`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ before }),
  });
  if (!response.ok) throw await failureOf(response);
  return ((await response.json()) as SessionCopy).session_id;
}

/**
 * Deletes a session; also succeeds when there is none. With `keepalive` it is sent although the page is being left.
 * @throws AskFailure
 */
export async function deleteSession(sessionId: string, keepalive = false): Promise<void> {
  const response = await send(pathOf(sessionId), { method: 'DELETE', keepalive });
  if (!response.ok) throw await failureOf(response);
}

const pathOf = (sessionId: string): string => `/sessions/${encodeURIComponent(sessionId)}`;

async function pageOf(response: Response): Promise<SessionPage> {
  if (!response.ok) throw await failureOf(response);
  const { chat_history: messages, next, answering = [] } = (await response.json()) as Session;
  return { messages, next, answering };
}

/** The function key is sent along, so the address has to be one of this API. */
function checked(next: string, allowed: RegExp): string {
  if (!allowed.test(next)) throw new AskFailure('The server gave an address that this page does not know.');
  return next;
}
