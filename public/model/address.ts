/** The session in the address of the page, for reloads, bookmarks and the Back button. */
import type { Conversation } from './conversation.ts';

const MAX_ID_CHARS = 256;

/** Opens the session in the address, now and whenever the address changes, and keeps the address up to date. */
export function followAddress(conversation: Conversation): void {
  conversation.sessionStarted.listen((id) => history.replaceState(null, '', addressOf(id)));
  addEventListener('hashchange', () => {
    // The user went back or edited the address.
    const id = sessionInAddress();
    if (id !== conversation.sessionId) void conversation.open(id);
  });
  void conversation.open(sessionInAddress());
}

/** Opens a session, or an empty conversation, as a new entry of the browser's history. */
export async function goTo(conversation: Conversation, sessionId: string | null): Promise<void> {
  if (sessionId !== conversation.sessionId) history.pushState(null, '', addressOf(sessionId));
  await conversation.open(sessionId);
}

/** Goes to a session and asks a question there, unless the user has gone on meanwhile. */
export async function askIn(
  conversation: Conversation,
  sessionId: string | null,
  question: string,
): Promise<void> {
  await goTo(conversation, sessionId);
  if (conversation.sessionId === sessionId) conversation.start(question);
}

/** The address of a session. In the fragment, which browsers do not send: the id gives access to the conversation. */
export const addressOf = (sessionId: string | null): string =>
  sessionId === null
    ? location.pathname + location.search
    : `#${new URLSearchParams({ session: sessionId })}`;

function sessionInAddress(): string | null {
  const id = new URLSearchParams(location.hash.slice(1)).get('session') ?? '';
  // Ignores ids that the server refuses.
  return id.length > MAX_ID_CHARS || /^\.{0,2}$/.test(id) ? null : id;
}
