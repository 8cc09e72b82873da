/** Errors of the API as results and errors of the protocol. */
import { type CallToolResult, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { type AskError, errorBody } from '../contract/errors.ts';

/** The key of the error's code in `_meta` of a tool's result. */
const ERROR_META = 'azure-functions-ask/error';

/** The result of a tool that failed: the message and the code as for HTTP. */
export function toolError(error: AskError, sessionId?: string): CallToolResult {
  const { error: details } = errorBody(error);
  const notes = [
    `code: ${details.code}`,
    ...(details.retry_after === undefined ? [] : [`retry after ${details.retry_after} s`]),
    ...(sessionId === undefined ? [] : [`session_id: ${sessionId}`]),
  ];
  return {
    isError: true,
    content: [{ type: 'text', text: `${error.message} (${notes.join('; ')})` }],
    _meta: { [ERROR_META]: details },
  };
}

/** The JSON-RPC error of a resource that cannot be read. */
export function protocolError(error: AskError): ProtocolError {
  const code = error.status < 500 ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
  return new ProtocolError(code, error.message, errorBody(error).error);
}
