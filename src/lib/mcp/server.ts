/** Creates the server of the SDK for one HTTP request, with all tools, the resource template and the prompt. */
import type { ServerOptions } from '@modelcontextprotocol/server';
import { API_VERSION } from '../contract/schema.ts';
import { logMcpRequest } from '../telemetry/finished.ts';
import { registerAskTool } from './ask-tool.ts';
import type { McpExchange } from './exchange.ts';
import { ObservedServer, type IncomingRequest, type RunningRequest } from './observed-server.ts';
import { registerPrompt } from './prompt.ts';
import { registerSessionResource } from './session-resource.ts';
import { registerSessionTools } from './session-tools.ts';

/** The mark of the chat page. It is a part of every result by revision 2026-07-28, so it is short. */
const ICON =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='8' fill='#1f5d7a'/><path d='M9 23l7-14 7 14M12 18h8' fill='none' stroke='#fff' stroke-width='2.6'/></svg>";

const INFO = {
  name: 'azure-functions-ask',
  title: 'Ask',
  version: API_VERSION,
  icons: [
    { src: `data:image/svg+xml;base64,${Buffer.from(ICON).toString('base64')}`, mimeType: 'image/svg+xml' },
  ],
};

/** The lists change only with a new version of the app, that of a user's sessions with each question. */
const LIST = { ttlMs: 3_600_000, cacheScope: 'public' } as const;
const OWN_LIST = { ttlMs: 0, cacheScope: 'private' } as const;

const optionsFor = (hasUsers: boolean): ServerOptions => ({
  capabilities: {
    tools: { listChanged: false },
    resources: { listChanged: false },
    prompts: { listChanged: false },
  },
  cacheHints: {
    'tools/list': LIST,
    'prompts/list': LIST,
    'resources/list': hasUsers ? OWN_LIST : LIST,
    'resources/templates/list': LIST,
    'server/discover': LIST,
  },
  instructions:
    'Use "ask" to have a question answered by a language model. The service keeps the chat history of a session: send the session_id of the first result with each follow-up question.',
});

/** Methods that clients may call, and so the values of the method in log and telemetry. */
const METHODS = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
]);
const TARGETS = new Set(['ask', 'read_session', 'forget_session', 'list_sessions', 'explore_topic']);

/** Creates the server. `protocolVersion` is what the HTTP request says, if it does. */
export function createServer(exchange: McpExchange, protocolVersion: string | undefined): ObservedServer {
  const { services, invocation } = exchange;
  const server = new ObservedServer(INFO, optionsFor(services.config.users.by !== 'nobody'), {
    onBegin: (message) => describe(message, exchange, protocolVersion),
    onEnd(finished) {
      logMcpRequest(invocation.log, finished);
      services.reporter?.reportMcp(finished);
    },
  });
  registerAskTool(server, exchange);
  registerSessionTools(server, exchange);
  registerSessionResource(server, exchange);
  registerPrompt(server);
  return server;
}

/** Names from the client are reported only when they are known: unknown ones could be anything, and any number. */
function describe(
  { id, method, params = {} }: IncomingRequest,
  { invocation }: McpExchange,
  protocolVersion: string | undefined,
): RunningRequest {
  const target = params['name'];
  const { traceparent } = (params['_meta'] ?? {}) as { traceparent?: unknown };
  return {
    id,
    method: METHODS.has(method) ? method : '_OTHER',
    target: typeof target === 'string' && TARGETS.has(target) ? target : undefined,
    protocolVersion,
    startedAt: invocation.startedAt,
    invocationId: invocation.id,
    question: undefined,
    traceParent: invocation.traceParent,
    clientTraceParent: typeof traceparent === 'string' ? traceparent : undefined,
  };
}
