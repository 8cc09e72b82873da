/** GET and DELETE /sessions/{session_id}/answers/{key}: the state, the text and the stop of an answer. */
import type { AddressedAnswer, AnswerAddress, Answers } from '../ask/answers.ts';
import type { Invocation } from '../common/log.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { Config } from '../config/config.ts';
import { errorBody } from '../contract/errors.ts';
import type { AddressedAnswerBody } from '../contract/answer-events.ts';
import { acceptsEvents, readTextFrom } from './ask-request.ts';
import { ownEvents, streamAnswer } from './ask-stream.ts';
import { startDeadline } from './asked-question.ts';
import type { RawRequest } from './raw-request.ts';
import { json, type Reply } from './response.ts';
import { readKey, readSession } from './session-path.ts';
import { logged } from './session-access.ts';

/** What the addresses of answers need. */
export interface AnswersServices {
  answers: Answers;
  config: Config;
  /** Requests in progress. */
  requests: PendingWork;
  /** Aborts when the process stops and open requests have to end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
}

/** Reads an answer, as JSON or as a stream, or stops it. @throws AskError when there is none, or storage fails. */
export async function handleAnswer(
  services: AnswersServices,
  request: RawRequest,
  invocation: Invocation,
): Promise<Reply> {
  const { answers, config, stopSignal } = services;
  const address = { session: readSession(request, config), idempotencyKey: readKey(request) };
  if (request.method === 'GET' && acceptsEvents(request))
    return stream(services, address, request, invocation);
  const work = request.method === 'GET' ? answers.read(address) : answers.stop(address, stopSignal);
  const answer = await logged(work, invocation.log);
  // A stop that has not taken effect yet is only accepted.
  const isAccepted = request.method === 'DELETE' && answer.state === 'answering';
  return json(isAccepted ? 202 : 200, toBody(address, answer));
}

/** Sends the text of an answer until it is complete. */
async function stream(
  { answers, config, requests, stopSignal }: AnswersServices,
  address: AnswerAddress,
  request: RawRequest,
  invocation: Invocation,
): Promise<Reply> {
  const { caller } = request;
  const from = readTextFrom(request);
  const ended = Promise.withResolvers<void>();
  // Every answer ends before this.
  const deadline = startDeadline(config.requestTimeoutMs, stopSignal, () => true);
  const end = (): void => {
    deadline.clear();
    ended.resolve();
  };
  void requests.add(ended.promise);
  const signal = AbortSignal.any([deadline.signal, caller.disconnected]);
  try {
    return await streamAnswer({
      end,
      events: bodiesOf(address, answers.events(address, { from, signal, disconnected: caller.disconnected })),
      format: ownEvents(() => ({ session_id: address.session.sessionId, offset: from })),
      headers: () => ({ 'X-Request-Id': invocation.id }),
      caller,
      signal,
    });
  } catch (error) {
    end();
    throw error;
  }
}

async function* bodiesOf(address: AnswerAddress, events: ReturnType<Answers['events']>) {
  for await (const event of events)
    yield event.type === 'done' ? { ...event, answer: toBody(address, event.answer) } : event;
}

function toBody({ session, idempotencyKey }: AnswerAddress, answer: AddressedAnswer): AddressedAnswerBody {
  const { state, question, startedAt, answer: text, position, failure } = answer;
  return {
    ...(failure && errorBody(failure)),
    state,
    session_id: session.sessionId,
    key: idempotencyKey,
    ...(question !== undefined && { question }),
    started_at: new Date(startedAt).toISOString(),
    ...(text !== undefined && { answer: text }),
    ...(position !== undefined && { position }),
  };
}
