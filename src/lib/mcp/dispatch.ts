/** Hands the message of an HTTP request to the SDK, and gives its response as that of a function. */
import { createMcpHandler, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { RawRequest } from '../http/raw-request.ts';
import type { ObservedServer } from './observed-server.ts';
import { type AskError, errorBody } from '../contract/errors.ts';
import { json, type Reply } from '../http/response.ts';
import type { Invocation } from '../common/log.ts';

/**
 * Gives the response to a message. `create` creates the server for it, unless the SDK refuses the message. When
 * `disconnected` aborts, the requests of the message are aborted.
 */
export async function dispatch(
  request: RawRequest,
  message: unknown,
  disconnected: AbortSignal,
  create: (protocolVersion: string | undefined) => ObservedServer,
): Promise<Response> {
  // The SDK would keep the stream open, but nothing that this server lists ever changes.
  if (isMethod(message, 'subscriptions/listen')) return jsonRpcError(404, NO_SUBSCRIPTIONS, message.id);
  const headers = request.toHeaders();
  const handler = createMcpHandler(() => create(headers.get('mcp-protocol-version') ?? undefined), {
    // With a byte each 15 s from the start, no proxy takes a slow answer for a dead connection. Revisions before
    // 2026-07-28 get a stream for every method.
    responseMode: isMethod(message, 'tools/call') ? 'sse' : 'auto',
  });
  const webRequest = new Request(`http://localhost${request.path}`, {
    method: 'POST',
    headers,
    signal: disconnected,
  });
  return handler.fetch(webRequest, { parsedBody: message });
}

const NO_SUBSCRIPTIONS = {
  code: ProtocolErrorCode.MethodNotFound,
  message: 'Method not found: this server sends no notifications of changes.',
};

/** True for a request of `method`. */
export function isMethod(message: unknown, method: string): message is { id: string | number } {
  const request = (message ?? {}) as { id?: unknown; method?: unknown };
  return request.method === method && (typeof request.id === 'string' || typeof request.id === 'number');
}

/** The code of JSON-RPC for errors that a server defines itself. */
const SERVER_ERROR = -32_000;

/** Converts a response of the SDK, and adds headers. */
export async function toReply(response: Response, more: Record<string, string>): Promise<Reply> {
  const { status, headers, body } = response;
  headers.append('Cache-Control', 'no-store');
  // It belongs to one connection, and the host manages its own.
  headers.delete('connection');
  const reply = { status, headers: { ...Object.fromEntries(headers), ...more } };
  if (body === null) return reply;
  const isStream = headers.get('content-type') === 'text/event-stream';
  return { ...reply, body: isStream ? body : await response.text() };
}

/**
 * The response to an HTTP request that is refused before its message is known. With a 401, clients learn at the app's
 * `hostName` where users sign in: App Service has the metadata there, if the app has WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES.
 * modelcontextprotocol.io/specification/2025-11-25/basic/authorization
 */
export function errorResponse(error: AskError, invocation: Invocation, hostName: string | undefined): Reply {
  const { retryAfter } = error;
  const code = CODES[error.code] ?? SERVER_ERROR;
  const body = rpcError({ code, message: error.message, data: errorBody(error).error }, null);
  return json(error.status, body, {
    'X-Request-Id': invocation.id,
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    ...(error.status === 401 && {
      'WWW-Authenticate': error.headers['WWW-Authenticate'] ?? challenge(hostName),
    }),
  });
}

/** RFC 9728, 5.1. */
const challenge = (hostName: string | undefined): string =>
  hostName === undefined
    ? 'Bearer'
    : `Bearer resource_metadata="https://${hostName}/.well-known/oauth-protected-resource"`;

const CODES: Partial<Record<AskError['code'], number>> = {
  invalid_json: ProtocolErrorCode.ParseError,
  internal_error: ProtocolErrorCode.InternalError,
};

/** A response with a JSON-RPC error. */
const jsonRpcError = (status: number, error: RpcError, id: string | number): Response =>
  Response.json(rpcError(error, id), { status });

interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

const rpcError = (error: RpcError, id: string | number | null) => ({ jsonrpc: '2.0', id, error });
