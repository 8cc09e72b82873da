/** Client of the sessions. */
import type { ChatMessage, Session } from '../../src/lib/contract/responses.ts';
import { failureOf } from './failure.ts';
import { send } from './request.ts';

/** A page of a session, oldest message first. `next` is the address of the page before it; null when there is none. */
export interface SessionPage {
  messages: ChatMessage[];
  next: string | null;
}

/**
 * Reads the newest page of a session. Empty for unknown sessions.
 * @throws AskFailure
 */
export async function readSession(sessionId: string, signal: AbortSignal): Promise<SessionPage> {
  const response = await send(`/sessions/${encodeURIComponent(sessionId)}`, { signal });
  if (response.status === 404) return { messages: [], next: null };
  if (!response.ok) throw await failureOf(response);
  const { chat_history: messages, next } = (await response.json()) as Session;
  return { messages, next };
}
