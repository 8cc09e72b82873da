/** Responses to errors in the shape of OpenAI's API. */
import type { Question } from '../ask/question.ts';
import { type AskError, errors } from '../contract/errors.ts';
import { openAiErrorBody } from '../contract/openai-error.ts';
import type { Invocation } from '../common/log.ts';
import { errorResponse, json, type Reply } from '../http/response.ts';

/** Gives the error as it concerns the caller, who may keep the conversation. `question` is undefined until it was accepted. */
export const toCallersError = (error: AskError, question: Question | undefined): AskError =>
  question?.prompt && error.code === 'conversation_too_long' ? errors.messagesTooLong(error) : error;

/** Errors that a retry meets again. OpenAI's clients retry 409, 429 and all from 500 on. */
const LASTING: readonly AskError['code'][] = ['budget_exceeded', 'idempotency_conflict', 'not_cached'];
const isLasting = ({ code, isSevere }: AskError): boolean => isSevere || LASTING.includes(code);

/** Gives the response to an error, with the status and the headers of {@link errorResponse}. */
export function openAiErrorResponse(error: AskError, invocation: Invocation): Reply {
  const { status, headers } = errorResponse(error, invocation);
  return json(status, openAiErrorBody(error), {
    ...headers,
    ...(isLasting(error) && { 'X-Should-Retry': 'false' }),
  });
}
