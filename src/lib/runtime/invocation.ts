/** One run of a function. */
import type { InvocationContext } from '@azure/functions';

/** One run of a function. */
export interface Invocation {
  id: string;
  /** `traceparent` of the host's trace, if there is one: w3.org/TR/trace-context */
  traceParent: string | undefined;
  /** `performance.now()` at the first line of the handler. */
  startedAt: number;
  log: Pick<InvocationContext, 'info' | 'warn' | 'error'>;
}
