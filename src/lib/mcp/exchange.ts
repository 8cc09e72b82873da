/** What the tools and resources of one HTTP request need. */
import { type AskError, toAskError } from '../contract/errors.ts';
import type { AskServices } from '../http/asked-question.ts';
import type { Caller } from '../http/raw-request.ts';
import type { SessionServices } from '../http/sessions-handler.ts';
import { type Invocation, logError } from '../common/log.ts';

/** The services that the Model Context Protocol gives access to. */
export type McpServices = AskServices & SessionServices;

/** One HTTP request with one or more requests of the protocol. */
export interface McpExchange {
  services: McpServices;
  /** Its log works until the end: that of the host is closed once the headers of a stream are sent. */
  invocation: Invocation;
  caller: Caller;
  /** Whether a client cancels a request by closing the connection: as of revision 2026-07-28. */
  cancelsByLeaving: boolean;
  /** Null when the caller is not signed in. */
  userId: string | null;
  /** Aborts at the deadline or when the process stops; the reason is the error for the caller. */
  signal: AbortSignal;
}

/** Gives what was thrown as an error for the caller, and logs its cause. */
export function loggedError({ invocation }: McpExchange, thrown: unknown): AskError {
  const error = toAskError(thrown);
  logError(error, invocation.log);
  return error;
}
