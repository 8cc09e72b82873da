/** Sessions as Markdown, for clients and models that read text. */
import type { ListSessionsResult, ReadSessionResult } from '../contract/tools.ts';

/** A page of a conversation, oldest message first. */
export function sessionToMarkdown(session: ReadSessionResult): string {
  const { session_id: id, interaction_count: count, chat_history: messages } = session;
  const shown = messages.length / 2;
  const parts = messages.map(
    ({ role, content }) => `## ${role === 'human' ? 'Question' : 'Answer'}\n\n${content}`,
  );
  const note = shown < count ? ` This page shows ${shown} of them.` : '';
  return [
    `# Session ${id}`,
    `${count} ${count === 1 ? 'interaction' : 'interactions'}, from ${session.created_at} to ${session.updated_at}.${note}`,
    ...parts,
    ...nextLine(session.next),
  ].join('\n\n');
}

/** A page of a list of sessions. */
export function listToMarkdown({ sessions, next }: ListSessionsResult): string {
  const lines = sessions.map(
    ({ session_id, title, updated_at }) => `- ${session_id} (${updated_at}): ${title}`,
  );
  return [lines.join('\n') || 'There are no sessions.', ...nextLine(next)].join('\n\n');
}

/** How to get the next page: whoever reads text only does not see `next`. */
const nextLine = (next: string | undefined): string[] =>
  next === undefined ? [] : [`There is an older page: before=${next}`];
