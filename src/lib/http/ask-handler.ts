/** POST /ask: reads the question, has it answered before the deadline, and sends the answer or the error. */
import type { HttpResponseInit } from '@azure/functions';
import type { Answerer } from '../ask/answer-question.ts';
import type { Question } from '../ask/question.ts';
import type { Config } from '../config/config.ts';
import { type AskError, errors, toAskError } from '../contract/errors.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import { createQuestionRecord, type QuestionRecord } from '../metrics/question-record.ts';
import type { KeepWarm } from '../pool/keep-warm.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { atLevel, consoleLog, logError } from '../runtime/log.ts';
import type { PendingWork } from '../runtime/pending-work.ts';
import type { Outcome } from '../telemetry/finished-question.ts';
import { finishQuestion } from '../telemetry/finish-question.ts';
import type { Reporter } from '../telemetry/reporter.ts';
import { readQuestion } from './ask-request.ts';
import { type AnswerStream, streamAnswer } from './ask-stream.ts';
import { startDeadline } from './deadline.ts';
import { errorResponse, CLIENT_CLOSED_REQUEST } from './error-response.ts';
import { json } from './json-response.ts';
import { type Caller, CallerDisconnectedError, type RawRequest } from './raw-request.ts';

/** What `/ask` needs. */
export interface AskServices {
  answerer: Answerer;
  metrics: ProcessMetrics;
  keepWarm: KeepWarm;
  /** Null when the settings name no receiver of traces and metrics. */
  reporter: Reporter | null;
  config: Config;
  /** Requests in progress. */
  requests: PendingWork;
  /** Aborts when the process stops and open requests have to end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
}

/** Answers a request. Never rejects: an error becomes an error response, or the last event of a stream. */
export function handleAsk(
  services: AskServices,
  request: RawRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  return services.requests.add(answerRequest(services, request, invocation));
}

async function answerRequest(services: AskServices, request: RawRequest, invocation: Invocation) {
  const { metrics, config, requests, stopSignal, keepWarm } = services;
  const record = createQuestionRecord(invocation.startedAt, invocation.id, metrics.takeColdStart());
  const { caller } = request;
  let question: Question | undefined;
  const deadline = startDeadline(config.requestTimeoutMs, () => question !== undefined);
  const ended = Promise.withResolvers<void>();
  // A stream goes on after its response was returned, so the request stays in progress until `onEnd` is called.
  void requests.add(ended.promise).then(deadline.clear);
  const { log } = invocation;
  const onEnd = (outcome: Outcome, endLog: Invocation['log']): void => {
    ended.resolve();
    const finalOutcome = caller.disconnected.aborted ? 'left' : outcome;
    const finished = finishQuestion(
      services,
      { outcome: finalOutcome, record, question, invocation },
      endLog,
    );
    if (finished) services.reporter?.report(finished);
  };
  try {
    const signal = AbortSignal.any([deadline.signal, stopSignal]);
    question = await readQuestion(request, config, signal);
    keepWarm.touch();
    const exchange = { services, question, record, signal, invocation, caller, onEnd };
    return await (question.stream ? answerAsStream(exchange) : answerAsJson(exchange));
  } catch (thrown) {
    if (thrown instanceof CallerDisconnectedError) {
      onEnd('left', log);
      return CLIENT_CLOSED_REQUEST;
    }
    const error = toAskError(thrown);
    logError(error, log);
    onEnd(error, log);
    return errorResponse(error, invocation, question?.sessionId);
  }
}

interface Exchange {
  services: AskServices;
  question: Question;
  record: QuestionRecord;
  /** Aborts at the deadline or when the process stops. */
  signal: AbortSignal;
  invocation: Invocation;
  caller: Caller;
  /** To be called once, when the answer is complete or has failed. */
  onEnd: (outcome: Outcome, log: Invocation['log']) => void;
}

async function answerAsJson({ services, question, record, signal, invocation, caller, onEnd }: Exchange) {
  const { disconnected } = caller;
  const warn = (message: string) => invocation.log.warn(message);
  for await (const event of services.answerer.answer(question, { record, signal, disconnected, warn })) {
    if (event.type !== 'done') continue;
    onEnd('answered', invocation.log);
    const { timings, total_time: total } = event.answer.performance_metrics;
    const serverTiming = Object.entries({ ...timings, total }).map(
      // In milliseconds, to the microsecond.
      ([name, time]) => `${name};dur=${Number((1000 * time).toFixed(3))}`,
    );
    return json(200, event.answer, { 'Server-Timing': serverTiming.join(', '), ...answerHeaders(record) });
  }
  throw errors.internal(new Error('the answer ended without the event "done"'));
}

function answerAsStream({ services, question, record, signal, invocation, caller, onEnd }: Exchange) {
  // The log of the invocation is closed once the headers are sent.
  const log = atLevel(services.config.logLevel, consoleLog(invocation.id));
  let outcome: Outcome = 'answered';
  const warn = (message: string) => log.warn(message);
  const { disconnected } = caller;
  const stream: AnswerStream = {
    events: services.answerer.answer(question, { record, signal, disconnected, warn }),
    opening: { session_id: question.sessionId, cold_start: record.coldStart },
    headers: () => answerHeaders(record),
    caller,
    signal,
    onError(error: AskError) {
      outcome = error;
      logError(error, log);
    },
    onEnd: () => onEnd(outcome, log),
  };
  return streamAnswer(stream);
}

/** The headers of an answer, with and without a stream. */
function answerHeaders({ cache, replayed, invocationId }: QuestionRecord): Record<string, string> {
  return {
    'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
    ...(cache.result === 'hit' && { Age: String(Math.floor(cache.ageMs / 1000)) }),
    ...(replayed && { 'Idempotency-Replayed': 'true' }),
    'X-Request-Id': invocationId,
  };
}
