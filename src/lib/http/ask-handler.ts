/** POST /ask: reads the question, has it answered before the deadline, and sends the answer or the error. */
import type { Question } from '../ask/question.ts';
import type { SessionEvent } from '../contract/answer-events.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import { atLevel, consoleLog, type Invocation } from '../common/log.ts';
import { readQuestion } from './ask-request.ts';
import { streamAnswer } from './ask-stream.ts';
import { AskedQuestion, type AskServices, startDeadline } from './asked-question.ts';
import { CLIENT_CLOSED_REQUEST, errorResponse, json, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';

/** Answers a request. Never rejects: an error becomes an error response, or the last event of a stream. */
export async function handleAsk(
  services: AskServices,
  request: RawRequest,
  invocation: Invocation,
): Promise<Reply> {
  const { config, stopSignal } = services;
  const { caller } = request;
  const deadline = startDeadline(config.requestTimeoutMs, () => asked.question !== undefined);
  const signal = AbortSignal.any([deadline.signal, stopSignal]);
  const asked = new AskedQuestion(services, { invocation, signal, disconnected: caller.disconnected });
  void asked.ended.then(deadline.clear);
  try {
    const question = await readQuestion(request, config, signal);
    if (!question.stream) return await answerAsJson(asked, question);
    // The log of the invocation is closed once the headers are sent.
    asked.log = atLevel(config.logLevel, consoleLog(invocation.id));
    return await streamAnswer({
      end: (thrown) => void asked.end(thrown),
      events: asked.events(question),
      opening: () => openingOf(asked.record, question),
      headers: () => answerHeaders(asked.record),
      caller,
      signal,
    });
  } catch (thrown) {
    const error = asked.end(thrown);
    return error ? errorResponse(error, invocation, asked.question?.sessionId) : CLIENT_CLOSED_REQUEST;
  }
}

async function answerAsJson(asked: AskedQuestion, question: Question): Promise<Reply> {
  const answer = await asked.answer(question);
  asked.end();
  const { timings, total_time: total } = answer.performance_metrics;
  const serverTiming = Object.entries({ ...timings, total }).map(
    // In milliseconds, to the microsecond.
    ([name, time]) => `${name};dur=${Number((1000 * time).toFixed(3))}`,
  );
  return json(200, answer, { 'Server-Timing': serverTiming.join(', '), ...answerHeaders(asked.record) });
}

/** The data of the event `session`. A question that is asked anew, though its caller has a part of a text, begins at 0. */
const openingOf = ({ coldStart, replayed }: QuestionRecord, question: Question): SessionEvent => ({
  session_id: question.sessionId,
  cold_start: coldStart,
  ...(question.idempotencyKey !== undefined && { offset: replayed ? question.textFrom : 0 }),
});

/** The headers of an answer, with and without a stream. */
function answerHeaders({ cache, replayed, invocationId }: QuestionRecord): Record<string, string> {
  return {
    'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
    ...(cache.result === 'hit' && { Age: String(Math.floor(cache.ageMs / 1000)) }),
    ...(replayed && { 'Idempotency-Replayed': 'true' }),
    'X-Request-Id': invocationId,
  };
}
