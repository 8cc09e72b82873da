/** Reads all pages of a session, for an export. */
import type { Session } from '../../src/lib/contract/responses.ts';
import { failureOf } from './failure.ts';
import { send } from './request.ts';

/**
 * Reads a session with all of its messages, as if they were one page.
 * @throws AskFailure
 */
export async function readWholeSession(sessionId: string): Promise<Session> {
  const newest = await readPage(`/sessions/${encodeURIComponent(sessionId)}`);
  let messages = newest.chat_history;
  for (let { next } = newest; next !== null;) {
    const older = await readPage(next);
    messages = [...older.chat_history, ...messages];
    next = older.next;
  }
  return { ...newest, chat_history: messages, next: null };
}

async function readPage(path: string): Promise<Session> {
  const response = await send(path, {});
  if (!response.ok) throw await failureOf(response);
  return (await response.json()) as Session;
}
