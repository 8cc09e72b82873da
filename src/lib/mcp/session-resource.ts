/** Sessions as resources: the template, and for signed-in users the list and the completion of ids. */
import {
  type ListResourcesResult,
  ProtocolError,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { AskError, errors } from '../contract/errors.ts';
import { checkSessionId } from '../http/ask-request.ts';
import { listSessions, readSessionPage, pageFields } from '../http/session-access.ts';
import { loggedError, type McpExchange } from './exchange.ts';
import type { ObservedServer } from './observed-server.ts';
import { protocolError } from './tool-result.ts';
import type { ListSessionsResult, ReadSessionResult } from '../contract/tools.ts';

const mimeType = 'text/markdown';

const resource = {
  title: 'A conversation',
  description: 'The newest interactions of a session, as Markdown. The id is percent-encoded.',
  mimeType,
};

/** Registers the resource template at the server of `exchange`. */
export function registerSessionResource(server: ObservedServer, exchange: McpExchange): void {
  const template = new ResourceTemplate('session://{session_id}', {
    list: () => listResources(exchange),
    complete: { session_id: (begun) => complete(exchange, begun) },
  });
  server.registerResource('session', template, resource, ({ href }, { session_id: id }) =>
    readResource(exchange, href, String(id)),
  );
}

/** The most recently used sessions of the user. */
async function newest({ services, userId }: McpExchange) {
  return userId === null ? [] : (await listSessions(services.sessions, userId, undefined)).sessions;
}

const listResources = (exchange: McpExchange): Promise<ListResourcesResult> =>
  orProtocolError(exchange, async () => ({
    resources: (await newest(exchange)).map(({ sessionId, title, updatedAt }) => ({
      uri: `session://${encodeURIComponent(sessionId)}`,
      name: sessionId,
      title,
      mimeType,
      annotations: { lastModified: new Date(updatedAt).toISOString() },
    })),
  }));

const complete = (exchange: McpExchange, begun: string): Promise<string[]> =>
  orProtocolError(exchange, async () =>
    (await newest(exchange)).map(({ sessionId }) => sessionId).filter((id) => id.startsWith(begun)),
  );

const readResource = (exchange: McpExchange, uri: string, encodedId: string): Promise<ReadResourceResult> =>
  orProtocolError(exchange, async () => {
    const { services, userId } = exchange;
    const sessionId = checkSessionId(decode(encodedId));
    const page = await readSessionPage(services.sessions, { userId, sessionId }, undefined).catch(
      (error: unknown) => {
        throw error instanceof AskError && error.code === 'session_not_found'
          ? new ResourceNotFoundError(uri, error.message)
          : error;
      },
    );
    return { contents: [{ uri, mimeType, text: sessionToMarkdown(pageFields(sessionId, page)) }] };
  });

function decode(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    throw errors.invalidField('session_id', 'is not valid percent-encoding');
  }
}

/** Does `work`. What it throws becomes an error of the protocol. */
async function orProtocolError<T>(exchange: McpExchange, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw thrown instanceof ProtocolError ? thrown : protocolError(loggedError(exchange, thrown));
  }
}

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

/** How to get the next page, for clients that read only the text and do not see `next`. */
const nextLine = (next: string | undefined): string[] =>
  next === undefined ? [] : [`There is an older page: before=${next}`];
