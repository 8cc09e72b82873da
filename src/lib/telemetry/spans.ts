/**
 * The trace of a finished question: a span for the question, with child spans for its steps and model calls. Why
 * afterwards: docs/decisions/telemetry.md.
 */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { errorTypeOf, type FinishedMcpRequest, type FinishedQuestion, outcomeName } from './finished.ts';
import {
  callAttributes,
  CHAT,
  contentAttributes,
  endpointOf,
  GEN_AI,
  GENERAL,
  MCP,
} from './gen-ai-conventions.ts';
import type { Step } from './question-record.ts';
import type { CallRecord } from '../model/completion.ts';
import { sessionPartition } from '../history/session-rows.ts';
import type { Config } from '../config/config.ts';

/** Names of the steps' spans. The step `model` has none, because each model call has a span of its own. */
const STEP_NAMES: Partial<Record<Step['phase'], string>> = {
  history_read: 'read chat history',
  cache_lookup: 'look up cached answer',
  history_write: 'write chat history',
};
const WAIT_NAME = 'wait for the model call of an identical question';

/**
 * Writes all spans of a finished question, with their original times. So tracing adds no work while a question waits.
 * Their parent is the span of the host unless `within` has another one.
 */
export function writeSpans(
  tracer: Tracer,
  config: Config,
  finished: FinishedQuestion,
  within: Context = remoteContext(finished.traceParent),
): void {
  const { record, metrics } = finished;
  const toTime = wallClock();
  const question = tracer.startSpan(
    'question',
    { startTime: toTime(record.startedAt), attributes: questionAttributes(finished) },
    within,
  );
  const parent = trace.setSpan(ROOT_CONTEXT, question);
  const write: SpanWriter = ({ startedAt, endedAt, name, failed, ...options }) => {
    const span = tracer.startSpan(name, { ...options, startTime: toTime(startedAt) }, parent);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(toTime(endedAt));
  };
  for (const step of record.steps) writeStep(write, step, record.calls);
  for (const call of record.calls) writeCall(write, config, finished, call);
  // An error below 500 is a mistake of the caller, not a failure of this service.
  if (typeof finished.outcome !== 'string' && finished.outcome.status >= 500)
    question.setStatus({ code: SpanStatusCode.ERROR });
  // Not the current time: importing the telemetry may have taken a while since the answer.
  question.end(toTime(record.startedAt + 1000 * metrics.total_time));
}

/** Writes a child span of the question. Times by `performance.now()`. */
type SpanWriter = (span: {
  name: string;
  startedAt: number;
  endedAt: number;
  failed: boolean;
  kind?: SpanKind;
  attributes?: Attributes;
}) => void;

function writeStep(
  write: SpanWriter,
  { phase, startedAt, endedAt, failed }: Step,
  calls: CallRecord[],
): void {
  // A step without a name is a model call, or the wait for the model call of an identical question.
  const name = STEP_NAMES[phase] ?? (calls.length === 0 ? WAIT_NAME : undefined);
  if (name !== undefined) write({ name, startedAt, endedAt, failed });
}

function writeCall(
  write: SpanWriter,
  config: Config,
  { question }: FinishedQuestion,
  call: CallRecord,
): void {
  write({
    name: `${CHAT} ${endpointOf(config, call).deployment}`,
    kind: SpanKind.CLIENT,
    startedAt: call.startedAt,
    endedAt: call.endedAt ?? performance.now(),
    failed: call.error !== null,
    attributes: {
      ...callAttributes(config, call),
      ...conversationAttribute(question),
      ...(config.telemetry?.capturesContent && contentAttributes(call)),
    },
  });
}

const conversationAttribute = (question: FinishedQuestion['question']): Attributes =>
  question?.session ? { [GEN_AI.conversation]: sessionPartition(question.session) } : {};

function questionAttributes({ outcome, record, question }: FinishedQuestion): Attributes {
  return {
    [GENERAL.invocation]: record.invocationId,
    [GENERAL.coldStart]: record.coldStart,
    ...conversationAttribute(question),
    ...(question && { 'ask.streamed': question.streamed }),
    ...(typeof outcome !== 'string' && { [GENERAL.errorType]: outcome.code }),
    'ask.outcome': outcomeName(outcome),
    'ask.cache.result': record.cache.result,
    ...(record.cache.tier && { 'ask.cache.tier': record.cache.tier }),
    ...(record.cache.reason && { 'ask.cache.reason': record.cache.reason }),
    ...(record.cache.stale && { 'ask.cache.fault': record.cache.stale.fault.code }),
    'ask.history.available': record.historyAvailable,
    'ask.history.saved': record.historySaved,
  };
}

/** The context of the span that `traceparent` names, so that a span becomes part of its trace; the root without one. */
function remoteContext(traceParent: string | undefined): Context {
  const [, traceId, spanId, flags] =
    /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})/.exec(traceParent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags ?? '0', 16), isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

/**
 * Gives a function that converts `performance.now()` to milliseconds since 1970. The offset is computed for each trace,
 * because `performance.now()` stops while an instance is suspended.
 */
function wallClock(): (at: number) => number {
  const offset = Date.now() - performance.now();
  return (at) => offset + at;
}

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
