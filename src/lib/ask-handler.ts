/** POST /ask as HTTP: reads the question, has it answered before the deadline, and writes the answer or the error. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { answerQuestion, type Question } from './answer-question.ts';
import { readQuestion } from './ask-request.ts';
import { type AnswerStream, streamAnswer } from './ask-stream.ts';
import { CallerLeft, type ClientConnection, clientOf } from './client-connection.ts';
import { type AskError, errors, toAskError } from './errors.ts';
import type { Outcome } from './finished-question.ts';
import { errorResponse, type Invocation, NO_CALLER } from './http-response.ts';
import { atLevel, consoleLog, logError } from './log.ts';
import { logQuestion } from './question-log.ts';
import { createQuestionRecord, type QuestionRecord } from './question-record.ts';
import type { Services } from './services.ts';

/** Answers one request to `/ask`. Never rejects: every fault becomes an error answer, or the last event of a stream. */
export function handleAsk(
  services: Services,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  return services.requests.add(answerRequest(services, request, invocation));
}

async function answerRequest(services: Services, request: HttpRequest, invocation: Invocation) {
  const coldStart = request.method === 'POST' && services.metrics.takeColdStart();
  const record = createQuestionRecord(invocation.startedAt, invocation.id, coldStart);
  const client = clientOf(invocation.id);
  let question: Question | undefined;
  const deadline = startDeadline(services.config.requestTimeoutMs, () => question !== undefined);
  const ended = Promise.withResolvers<void>();
  // Whoever answers, plainly or as a stream, says when that is over.
  void services.requests.add(ended.promise).then(deadline.clear);
  const { log } = invocation;
  const onEnd = (outcome: Outcome, endLog: Invocation['log']): void => {
    ended.resolve();
    const { reporter, config, http } = services;
    if (!reporter && config.logLevel !== 'info') return;
    const metrics = services.metrics.report(record, http.openConnections());
    const { traceParent } = invocation;
    const became = client.left.aborted ? 'left' : outcome;
    const finished = { outcome: became, record, question, metrics, traceParent };
    if (config.logLevel === 'info') logQuestion(endLog, finished);
    reporter?.report(finished);
  };
  try {
    const signal = AbortSignal.any([deadline.signal, services.stopSignal]);
    question = await readQuestion(request, services.config, signal);
    services.keeper.touch();
    const answer = { services, question, record, signal, invocation, client, onEnd };
    return await (question.stream ? answerAsStream(answer) : answerPlainly(answer));
  } catch (thrown) {
    if (thrown instanceof CallerLeft) {
      onEnd('left', log);
      return NO_CALLER;
    }
    const error = toAskError(thrown);
    logError(error, log);
    onEnd(error, log);
    return errorResponse(error, invocation, question?.sessionId);
  }
}

interface Asked {
  services: Services;
  question: Question;
  record: QuestionRecord;
  /** Ends the answering. */
  signal: AbortSignal;
  invocation: Invocation;
  client: ClientConnection;
  /** Called once, when the answer is complete or has failed. */
  onEnd: (outcome: Outcome, log: Invocation['log']) => void;
}

async function answerPlainly({ services, question, record, signal, invocation, client, onEnd }: Asked) {
  const { left } = client;
  const warn = (message: string) => invocation.log.warn(message);
  for await (const event of answerQuestion(services, question, { record, signal, left, warn })) {
    if (event.type !== 'done') continue;
    onEnd('answered', invocation.log);
    const { timings, total_time: total } = event.answer.performance_metrics;
    const serverTiming = Object.entries({ ...timings, total }).map(
      ([name, time]) => `${name};dur=${1000 * time}`,
    );
    const headers = { 'Cache-Control': 'no-store', 'Server-Timing': serverTiming.join(', ') };
    return { status: 200, headers: { ...headers, ...answerHeaders(record) }, jsonBody: event.answer };
  }
  throw errors.internal(new Error('no answer and no error'));
}

function answerAsStream({ services, question, record, signal, invocation, client, onEnd }: Asked) {
  // The invocation, and its log, are over when the headers go out.
  const log = atLevel(services.config.logLevel, consoleLog(invocation.id));
  let outcome: Outcome = 'answered';
  const warn = (message: string) => log.warn(message);
  const stream: AnswerStream = {
    events: answerQuestion(services, question, { record, signal, left: client.left, warn }),
    opening: { session_id: question.sessionId, cold_start: record.coldStart },
    headers: () => answerHeaders(record),
    client,
    signal,
    onError(error: AskError) {
      outcome = error;
      logError(error, log);
    },
    onEnd: () => onEnd(outcome, log),
  };
  return streamAnswer(stream);
}

/** Aborts after `ms`, with the error for a question that was read by then, or for one that was not. */
function startDeadline(ms: number, wasRead: () => boolean) {
  const controller = new AbortController();
  const seconds = ms / 1000;
  const end = () => controller.abort(wasRead() ? errors.timeout(seconds) : errors.requestTimeout(seconds));
  const timer = setTimeout(end, ms);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** What the answer says of itself beside its body. */
function answerHeaders({ cache, replayed, invocationId }: QuestionRecord): Record<string, string> {
  return {
    'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
    ...(cache.result === 'hit' && { Age: String(Math.floor(cache.ageMs / 1000)) }),
    ...(replayed && { 'Idempotency-Replayed': 'true' }),
    'X-Request-Id': invocationId,
  };
}
