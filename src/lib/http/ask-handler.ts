/** POST /ask: reads the question, has it answered before the deadline, and sends the answer or the error. */
import type { Question } from '../ask/question.ts';
import type { Answer } from '../contract/responses.ts';
import type { SessionEvent } from '../contract/answer-events.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import type { Invocation } from '../common/log.ts';
import { readQuestion } from './ask-request.ts';
import { ownEvents } from './ask-stream.ts';
import { answerHeaders, answerRequest, type AskServices } from './asked-question.ts';
import { errorResponse, json, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';

/** Answers a request. @throws as {@link answerRequest}. */
export const handleAsk = (
  services: AskServices,
  request: RawRequest,
  invocation: Invocation,
): Promise<Reply> =>
  answerRequest(services, request, invocation, {
    read: (userId, signal) => readQuestion(request, services.config, { userId, signal }),
    headers: answerHeaders,
    toResponse: (answer, _, record) => toResponse(answer, record),
    toEvents: (question, record) => ownEvents(() => openingOf(question, record)),
    toErrorResponse: (error, question) => errorResponse(error, invocation, question?.sessionId),
  });

function toResponse(answer: Answer, record: QuestionRecord): Reply {
  const { timings, total_time: total } = answer.performance_metrics;
  const serverTiming = Object.entries({ ...timings, total }).map(
    // In milliseconds, to the microsecond. `toFixed` takes four times as long.
    ([name, time]) => `${name};dur=${Math.round(1e6 * time) / 1000}`,
  );
  return json(200, answer, { 'Server-Timing': serverTiming.join(', '), ...answerHeaders(record) });
}

/** The data of the event `session`. A question that is asked anew, though its caller has a part of a text, begins at 0. */
const openingOf = (question: Question, { coldStart, replayed }: QuestionRecord): SessionEvent => ({
  session_id: question.sessionId,
  cold_start: coldStart,
  ...(question.idempotencyKey !== undefined && { offset: replayed ? question.textFrom : 0 }),
});
