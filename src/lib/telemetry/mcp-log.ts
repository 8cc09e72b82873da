/** The log line of a request of the Model Context Protocol. It has no argument and no text of a result. */
import { seconds } from '../metrics/performance-metrics.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { FinishedMcpRequest } from './finished-mcp-request.ts';
import { traceIdOf } from './question-log.ts';

/** Writes the line, as JSON with the time in seconds. A question has a line of its own. */
export function logMcpRequest(log: Invocation['log'], finished: FinishedMcpRequest): void {
  const { method, target, outcome, protocolVersion, invocationId, startedAt, endedAt } = finished;
  const trace = traceIdOf(finished.traceParent);
  log.info(
    JSON.stringify({
      event: 'mcp_request',
      method,
      ...(target !== undefined && { target }),
      outcome,
      invocation: invocationId,
      ...(trace !== undefined && { trace }),
      ...(protocolVersion !== undefined && { protocol_version: protocolVersion }),
      total_time: seconds(endedAt - startedAt),
    }),
  );
}
