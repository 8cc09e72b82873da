/** The trace of a finished question: a span for the question, with child spans for its steps and model calls. */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { Config } from '../config/config.ts';
import { type FinishedQuestion, outcomeName } from './finished-question.ts';
import { CHAT, GEN_AI, GENERAL } from './gen-ai-conventions.ts';
import { callAttributes, contentAttributes, endpointOf } from './model-call-attributes.ts';
import type { CallRecord, Step } from '../metrics/question-record.ts';
import { sessionPartition } from '../history/row-keys.ts';

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
      ...(question && { [GEN_AI.conversation]: sessionPartition(question.session) }),
      ...(config.telemetry?.capturesContent && contentAttributes(call)),
    },
  });
}

function questionAttributes({ outcome, record, question }: FinishedQuestion): Attributes {
  return {
    [GENERAL.invocation]: record.invocationId,
    [GENERAL.coldStart]: record.coldStart,
    ...(question && {
      [GEN_AI.conversation]: sessionPartition(question.session),
      'ask.streamed': question.streamed,
    }),
    ...(typeof outcome !== 'string' && { [GENERAL.errorType]: outcome.code }),
    'ask.outcome': outcomeName(outcome),
    'ask.cache.result': record.cache.result,
    ...(record.cache.tier && { 'ask.cache.tier': record.cache.tier }),
    ...(record.cache.reason && { 'ask.cache.reason': record.cache.reason }),
    'ask.history.available': record.historyAvailable,
    'ask.history.saved': record.historySaved,
  };
}

/** The context of the span that `traceparent` names, so that a span becomes part of its trace; the root without one. */
export function remoteContext(traceParent: string | undefined): Context {
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
export function wallClock(): (at: number) => number {
  const offset = Date.now() - performance.now();
  return (at) => offset + at;
}
