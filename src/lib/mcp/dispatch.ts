/** Hands the message of an HTTP request to the SDK. */
import { createMcpHandler, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { RawRequest } from '../http/raw-request.ts';
import type { ObservedServer } from './observed-server.ts';
import { jsonRpcError } from './response.ts';

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
  const handler = createMcpHandler(() => create(headers.get('mcp-protocol-version') ?? undefined));
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
