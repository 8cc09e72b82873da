/** The span and the attributes of a request of the Model Context Protocol. */
import {
  type Attributes,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { Config } from '../config/config.ts';
import { errorTypeOf, type FinishedMcpRequest } from './finished.ts';
import { GEN_AI, GENERAL, MCP } from './gen-ai-conventions.ts';
import { remoteContext, wallClock, writeSpans } from './spans.ts';

/** The client chooses the id, and may choose a long one. */
const MAX_ID_CHARS = 100;

/**
 * Writes the span of a request, with its question as a child. The parent is the client's span when the request names
 * one, with a link to the host's span; otherwise the host's span.
 */
export function writeMcpSpans(tracer: Tracer, config: Config, finished: FinishedMcpRequest): void {
  const { method, target, startedAt, endedAt, question, clientTraceParent, traceParent } = finished;
  const toTime = wallClock();
  const host = remoteContext(traceParent);
  const client = remoteContext(clientTraceParent);
  const hostSpan = trace.getSpanContext(host);
  const span = tracer.startSpan(
    target === undefined ? method : `${method} ${target}`,
    {
      kind: SpanKind.SERVER,
      startTime: toTime(startedAt),
      links: client !== ROOT_CONTEXT && hostSpan ? [{ context: hostSpan }] : [],
      attributes: {
        ...mcpAttributes(finished),
        [MCP.requestId]: String(finished.id).slice(0, MAX_ID_CHARS),
        [GENERAL.invocation]: finished.invocationId,
      },
    },
    client === ROOT_CONTEXT ? host : client,
  );
  if (question) writeSpans(tracer, config, question, trace.setSpan(ROOT_CONTEXT, span));
  if (isFailure(finished)) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(toTime(endedAt));
}

/** The attributes that spans and metrics share. */
export function mcpAttributes(finished: FinishedMcpRequest): Attributes {
  const { method, target, protocolVersion, outcome } = finished;
  const errorType = errorTypeOf(finished);
  const isTool = method === 'tools/call';
  return {
    [MCP.method]: method,
    ...(protocolVersion !== undefined && { [MCP.protocolVersion]: protocolVersion }),
    ...(isTool && { [GEN_AI.operation]: 'execute_tool' }),
    ...(target !== undefined && { [isTool ? GEN_AI.toolName : GEN_AI.promptName]: target }),
    ...(errorType !== undefined && { [GENERAL.errorType]: errorType }),
    ...(typeof outcome === 'number' && { [MCP.statusCode]: String(outcome) }),
  };
}

/** The codes of JSON-RPC for the server's own failures. Other codes, and errors of tools below 500, are mistakes of the caller. */
function isFailure({ outcome, question }: FinishedMcpRequest): boolean {
  if (typeof outcome === 'number') return outcome === -32_603;
  const inner = question?.outcome;
  return outcome === 'tool_error' && (typeof inner !== 'object' || inner.status >= 500);
}
