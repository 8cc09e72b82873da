/** Creates the server of the SDK for one HTTP request, with all tools, the resource template and the prompt. */
import type { ServerOptions } from '@modelcontextprotocol/server';
import { API_VERSION } from '../contract/schema.ts';
import { logMcpRequest } from '../telemetry/finished.ts';
import { registerAskTool } from './ask-tool.ts';
import type { McpExchange } from './exchange.ts';
import { ObservedServer, type IncomingRequest, type RunningRequest } from './observed-server.ts';
import { registerPrompt } from './prompt.ts';
import { registerSessionTools } from './session-tools.ts';

const INFO = { name: 'azure-functions-ask', title: 'Ask', version: API_VERSION };

/** The lists change only with a new version of the app. */
const LIST = { ttlMs: 3_600_000, cacheScope: 'public' } as const;

const OPTIONS: ServerOptions = {
  capabilities: {
    tools: { listChanged: false },
    resources: { listChanged: false },
    prompts: { listChanged: false },
  },
  cacheHints: {
    'tools/list': LIST,
    'prompts/list': LIST,
    'resources/list': LIST,
    'resources/templates/list': LIST,
    'server/discover': LIST,
  },
  instructions:
    'Use "ask" to have a question answered by a language model. The service keeps the chat history of a session: send the session_id of the first result with each follow-up question.',
};

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
]);
const TARGETS = new Set(['ask', 'read_session', 'forget_session', 'explore_topic']);

/** Creates the server. `protocolVersion` is what the HTTP request says, if it does. */
export function createServer(exchange: McpExchange, protocolVersion: string | undefined): ObservedServer {
  const { services, log } = exchange;
  const server = new ObservedServer(INFO, OPTIONS, {
    onBegin: (message) => describe(message, exchange, protocolVersion),
    onEnd(finished) {
      logMcpRequest(log, finished);
      services.reporter?.reportMcp(finished);
    },
  });
  registerAskTool(server, exchange);
  registerSessionTools(server, exchange);
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
