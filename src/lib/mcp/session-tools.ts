/**
 * The tools `read_session`, `forget_session` and, for apps whose users sign in, `list_sessions`. Rejected: a 401 when nobody
 * is signed in, on which clients with a function key would begin an OAuth that the app does not have.
 */
import type { CallToolResult } from '@modelcontextprotocol/server';
import { AskError, errors } from '../contract/errors.ts';
import {
  type ForgetSessionResult,
  forgetSessionArguments,
  forgetSessionResult,
  listSessionsArguments,
  type ListSessionsResult,
  listSessionsResult,
  type ReadSessionResult,
  readSessionArguments,
  readSessionResult,
} from '../contract/tools.ts';
import { checkSessionId } from '../http/ask-request.ts';
import {
  forgetSession,
  listFields,
  listSessions,
  readSessionPage,
  pageFields,
} from '../http/session-access.ts';
import { loggedError, type McpExchange } from './exchange.ts';
import { listToMarkdown, sessionToMarkdown } from './session-resource.ts';
import type { ObservedServer } from './observed-server.ts';
import { listed, toolError, toolResult } from './tool-result.ts';

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

const listTool = {
  title: 'List the conversations',
  description: 'Lists the sessions of the signed-in user, the most recently used first.',
  inputSchema: listed(listSessionsArguments),
  outputSchema: listed(listSessionsResult),
  annotations: { readOnlyHint: true, openWorldHint: false },
};

/** Registers the tools at the server of `exchange`. */
export function registerSessionTools(server: ObservedServer, exchange: McpExchange): void {
  const { sessions, config } = exchange.services;
  const { userId, invocation } = exchange;
  server.registerTool('read_session', readTool, ({ session_id: id, before }) =>
    asResult(exchange, async () => {
      const sessionId = checkSessionId(id);
      const page = await atPosition(before, (position) =>
        readSessionPage(sessions, { userId, sessionId }, position),
      );
      const result: ReadSessionResult = { ...pageFields(sessionId, page), next: page.before ?? undefined };
      return toolResult(result, [sessionToMarkdown(result)]);
    }),
  );
  server.registerTool('forget_session', forgetTool, ({ session_id: id }) =>
    asResult(exchange, async () => {
      const sessionId = checkSessionId(id);
      await forgetSession(sessions, { userId, sessionId }, invocation.log);
      const result: ForgetSessionResult = { session_id: sessionId, forgotten: true };
      return toolResult(result, [`The session ${sessionId} is deleted.`]);
    }),
  );
  if (config.users.by === 'nobody') return;
  server.registerTool('list_sessions', listTool, ({ before }) =>
    asResult(exchange, async () => {
      const page = await atPosition(before, (position) => listSessions(sessions, userId, position));
      const result: ListSessionsResult = { sessions: listFields(page), next: page.before ?? undefined };
      return toolResult(result, [listToMarkdown(result)]);
    }),
  );
}

const invalidBefore = (): AskError => errors.invalidField('before', 'must be `next` of another page');

/** Reads the page at the argument `before`. @throws AskError that speaks of the argument when it is no position. */
async function atPosition<T>(
  before: unknown,
  read: (position: string | undefined) => Promise<T>,
): Promise<T> {
  const position = before ?? undefined;
  if (position !== undefined && typeof position !== 'string') throw invalidBefore();
  try {
    return await read(position);
  } catch (thrown) {
    throw thrown instanceof AskError && thrown.code === 'invalid_request' ? invalidBefore() : thrown;
  }
}

/** Runs a tool. What it throws becomes a result that says so. */
async function asResult(exchange: McpExchange, run: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await run();
  } catch (thrown) {
    return toolError(loggedError(exchange, thrown));
  }
}
