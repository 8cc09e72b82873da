/** What the tools and resources of one HTTP request need. */
import type { AskServices } from '../http/asked-question.ts';
import type { Caller } from '../http/raw-request.ts';
import type { SessionServices } from '../http/sessions-handler.ts';
import type { Invocation } from '../common/log.ts';

/** The services that the Model Context Protocol gives access to. */
export type McpServices = AskServices & SessionServices;

/** One HTTP request with one or more requests of the protocol. */
export interface McpExchange {
  services: McpServices;
  invocation: Invocation;
  /** A log that works until the end: that of the invocation is closed once the headers of a stream are sent. */
  log: Invocation['log'];
  caller: Caller;
  /** Null when the caller is not signed in. */
  userId: string | null;
  /** Aborts at the deadline or when the process stops; the reason is the error for the caller. */
  signal: AbortSignal;
}
