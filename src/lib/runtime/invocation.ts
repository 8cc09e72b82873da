/** The context of one function invocation. */
import type { InvocationContext } from '@azure/functions';

/** One invocation of a function. */
export interface Invocation {
  id: string;
  /** `traceparent` of the host's trace (w3.org/TR/trace-context); undefined without a trace. */
  traceParent: string | undefined;
  /** `performance.now()` when the handler started. */
  startedAt: number;
  log: Pick<InvocationContext, 'info' | 'warn' | 'error'>;
}
