/** The tools `read_session` and `forget_session`, and the resource of a session. */
import {
  type CallToolResult,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { type AskError, errors, toAskError } from '../contract/errors.ts';
import type { Session } from '../contract/responses.ts';
import {
  type ForgetSessionResult,
  forgetSessionArguments,
  forgetSessionResult,
  type ReadSessionResult,
  readSessionArguments,
  readSessionResult,
} from '../contract/tools.ts';
import { checkSessionId } from '../http/ask-request.ts';
import { forgetSession, readSessionPage, sessionFields } from '../http/session-access.ts';
import { logError } from '../common/log.ts';
import type { McpExchange } from './exchange.ts';
import type { ObservedServer } from './observed-server.ts';
import { listed, protocolError, toolError, toolResult } from './tool-result.ts';

const readTool = {
  title: 'Read a conversation',
  description:
    'Reads the chat history of a session: the newest page, or with `before` an older one. It does not change anything.',
  inputSchema: listed(readSessionArguments),
  outputSchema: listed(readSessionResult),
  annotations: { readOnlyHint: true, openWorldHint: false },
};

const forgetTool = {
  title: 'Delete a conversation',
  description: 'Deletes a session with its chat history. This cannot be undone.',
  inputSchema: listed(forgetSessionArguments),
  outputSchema: listed(forgetSessionResult),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
};

const resource = {
  title: 'A conversation',
  description: 'The newest interactions of a session, as Markdown. The id is percent-encoded.',
  mimeType: 'text/markdown',
};

/** Registers the tools and the resource template at the server of `exchange`. */
export function registerSessionTools(server: ObservedServer, exchange: McpExchange): void {
  const { services, userId, log } = exchange;
  server.registerTool('read_session', readTool, ({ session_id: id, before }) =>
    asResult(exchange, async () => {
      const position = before ?? undefined;
      if (position !== undefined && typeof position !== 'string') throw errors.invalidPosition();
      const sessionId = checkSessionId(id);
      const page = await readSessionPage(services.sessions, { userId, sessionId }, position);
      const result: ReadSessionResult = { ...sessionFields(sessionId, page), next: page.before };
      return toolResult(result, toMarkdown(result));
    }),
  );
  server.registerTool('forget_session', forgetTool, ({ session_id: id }) =>
    asResult(exchange, async () => {
      const sessionId = checkSessionId(id);
      await forgetSession(services.sessions, { userId, sessionId }, log);
      const result: ForgetSessionResult = { session_id: sessionId, forgotten: true };
      return toolResult(result, `The session ${sessionId} is deleted.`);
    }),
  );
  const template = new ResourceTemplate('session://{session_id}', { list: undefined });
  server.registerResource('session', template, resource, ({ href }, { session_id: id }) =>
    readResource(exchange, href, String(id)),
  );
}

async function readResource(
  exchange: McpExchange,
  uri: string,
  encodedId: string,
): Promise<ReadResourceResult> {
  try {
    const sessionId = checkSessionId(decode(encodedId));
    const session = { userId: exchange.userId, sessionId };
    const page = await readSessionPage(exchange.services.sessions, session, undefined);
    const text = toMarkdown({ ...sessionFields(sessionId, page), next: page.before });
    return { contents: [{ uri, mimeType: resource.mimeType, text }] };
  } catch (thrown) {
    const error = logged(exchange, thrown);
    throw error.code === 'session_not_found'
      ? new ResourceNotFoundError(uri, error.message)
      : protocolError(error);
  }
}

function decode(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    throw errors.invalidField('session_id', 'is not valid percent-encoding');
  }
}

/** Runs a tool. What it throws becomes a result that says so. */
async function asResult(exchange: McpExchange, run: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await run();
  } catch (thrown) {
    return toolError(logged(exchange, thrown));
  }
}

function logged({ log }: McpExchange, thrown: unknown): AskError {
  const error = toAskError(thrown);
  logError(error, log);
  return error;
}

/** The conversation as Markdown, oldest message first. */
function toMarkdown(session: Session): string {
  const {
    session_id: id,
    interaction_count: count,
    chat_history: messages,
    created_at,
    updated_at,
  } = session;
  const shown = messages.length / 2;
  const parts = messages.map(
    ({ role, content }) => `## ${role === 'human' ? 'Question' : 'Answer'}\n\n${content}`,
  );
  const note = shown < count ? ` This page shows ${shown} of them.` : '';
  return [
    `# Session ${id}`,
    `${count} ${count === 1 ? 'interaction' : 'interactions'}, from ${created_at} to ${updated_at}.${note}`,
    ...parts,
  ].join('\n\n');
}
