/** Responses of the protocol as responses of a function. */
import type { HttpResponseInit } from '@azure/functions';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { type AskError, errorBody } from '../contract/errors.ts';
import { json } from '../http/json-response.ts';
import type { Invocation } from '../runtime/invocation.ts';

/** The code of JSON-RPC for errors that a server defines itself. */
const SERVER_ERROR = -32_000;

/** Converts a response of the SDK, and adds headers. */
export async function toResponseInit(
  response: Response,
  more: Record<string, string>,
): Promise<HttpResponseInit> {
  const { status, headers, body } = response;
  const all: Record<string, string> = {
    'Cache-Control': 'no-store',
    ...Object.fromEntries(headers),
    ...more,
  };
  // It belongs to one connection, and the host manages its own.
  delete all['connection'];
  if (body === null) return { status, headers: all };
  const isStream = headers.get('content-type') === 'text/event-stream';
  return { status, headers: all, body: isStream ? body : await response.text() };
}

/** The response to an HTTP request that is refused before its message is known. */
export function errorResponse(error: AskError, invocation: Invocation): HttpResponseInit {
  const { retryAfter } = error;
  const code = CODES[error.code] ?? SERVER_ERROR;
  const body = rpcError({ code, message: error.message, data: errorBody(error).error }, null);
  return json(error.status, body, {
    'X-Request-Id': invocation.id,
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  });
}

const CODES: Partial<Record<AskError['code'], number>> = {
  invalid_json: ProtocolErrorCode.ParseError,
  internal_error: ProtocolErrorCode.InternalError,
};

/** A response with a JSON-RPC error. */
export const jsonRpcError = (status: number, error: RpcError, id: string | number): Response =>
  Response.json(rpcError(error, id), { status });

interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

const rpcError = (error: RpcError, id: string | number | null) => ({ jsonrpc: '2.0', id, error });
