/** A request with a question, the same for every API: its deadline, its answer as JSON or as a stream, its error. */
import type { Question } from '../ask/question.ts';
import type { AskError } from '../contract/errors.ts';
import type { Answer } from '../contract/responses.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import { atLevel, consoleLog, type Invocation } from '../common/log.ts';
import { type EventFormat, streamAnswer } from './ask-stream.ts';
import { AskedQuestion, type AskServices, startDeadline } from './asked-question.ts';
import { CLIENT_CLOSED_REQUEST, type Reply } from './response.ts';
import type { RawRequest } from './raw-request.ts';
import { readUserId } from './user.ts';

/** How an API reads questions and writes answers. */
export interface AnswerFormat<Q extends Question> {
  /** Reads and validates the question of a user. @throws AskError, or the reason of the signal. */
  read(userId: string | null, signal: AbortSignal): Promise<Q>;
  /** Of answers, with and without a stream. */
  headers(record: QuestionRecord): Record<string, string>;
  toResponse(answer: Answer, question: Q, record: QuestionRecord): Reply;
  toEvents(question: Q, record: QuestionRecord): EventFormat<Answer>;
  /** `question` is undefined until it was accepted. */
  toErrorResponse(error: AskError, question: Question | undefined, record: QuestionRecord): Reply;
}

/**
 * Answers a request. An error becomes an error response, or the last event of a stream.
 * @throws AskError only when the user may not ask: such a request is no question, and counts as none.
 */
export async function answerRequest<Q extends Question>(
  services: AskServices,
  request: RawRequest,
  invocation: Invocation,
  format: AnswerFormat<Q>,
): Promise<Reply> {
  const { config, stopSignal } = services;
  const { caller } = request;
  const userId = readUserId(request, config.users);
  const deadline = startDeadline(config.requestTimeoutMs, () => asked.question !== undefined);
  const signal = AbortSignal.any([deadline.signal, stopSignal]);
  const asked = new AskedQuestion(services, { invocation, signal, disconnected: caller.disconnected });
  void asked.ended.then(deadline.clear);
  const { record } = asked;
  try {
    const question = await format.read(userId, signal);
    if (!question.stream) {
      const answer = await asked.answer(question);
      asked.end();
      return format.toResponse(answer, question, record);
    }
    // The log of the invocation is closed once the headers are sent.
    asked.log = atLevel(config.logLevel, consoleLog(invocation.id));
    return await streamAnswer({
      end: (thrown) => void asked.end(thrown),
      events: asked.events(question),
      format: format.toEvents(question, record),
      headers: () => format.headers(record),
      caller,
      signal,
    });
  } catch (thrown) {
    const error = asked.end(thrown);
    return error ? format.toErrorResponse(error, asked.question, record) : CLIENT_CLOSED_REQUEST;
  }
}

/** The headers that answers have in every API. */
export function answerHeaders({ cache, replayed, invocationId }: QuestionRecord): Record<string, string> {
  return {
    'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
    ...(cache.tier !== null && { Age: String(Math.floor(cache.ageMs / 1000)) }),
    ...(replayed && { 'Idempotency-Replayed': 'true' }),
    'X-Request-Id': invocationId,
  };
}
