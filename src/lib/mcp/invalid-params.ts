/** Corrects the error code of parameters that the SDK refuses: it reports some of them as its own failure. */
import { type JSONRPCMessage, ProtocolErrorCode } from '@modelcontextprotocol/server';

const INTERNAL_ERROR: number = ProtocolErrorCode.InternalError;

/** A problem of zod, as the SDK quotes it in a message. */
interface Issue {
  path: unknown[];
  message: string;
}

/**
 * Gives `message` with the code -32602 when it is an error -32603 about the parameters of a request: the SDK (2.4.0)
 * throws the problems that its schemas of requests find as a plain error, for every method except `tools/call`.
 */
export function withInvalidParams(message: JSONRPCMessage): JSONRPCMessage {
  if (!('error' in message) || message.error.code !== INTERNAL_ERROR) return message;
  const issues = issuesIn(message.error.message);
  if (!issues) return message;
  const problems = issues.map(({ path, message: problem }) => `${path.join('.')}: ${problem}`);
  const error = {
    code: ProtocolErrorCode.InvalidParams,
    message: `Invalid parameters. ${problems.join('; ')}`,
  };
  return { ...message, error };
}

/** The problems that `text` lists; undefined when it is something else, or they are not of the parameters. */
function issuesIn(text: string): Issue[] | undefined {
  try {
    const issues = JSON.parse(text) as Issue[];
    return issues.every(({ path }) => path[0] === 'params') ? issues : undefined;
  } catch {
    return undefined;
  }
}
