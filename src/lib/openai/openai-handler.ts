/**
 * The API in the form of OpenAI's, for clients that know no other: the same use case as POST /ask. Rejected: a gateway in
 * front of the app, which knows neither sessions nor what an answer depends on.
 */
import type { Question } from '../ask/question.ts';
import type { ModelConfig } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { Sessions } from '../history/sessions.ts';
import { type AnswerFormat, answerHeaders, answerRequest, type AskServices } from '../http/asked-question.ts';
import type { RawRequest } from '../http/raw-request.ts';
import { json, type Reply } from '../http/response.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import { readUserId } from '../http/user.ts';
import type { Invocation } from '../common/log.ts';
import { toChatCompletion, toChunks } from './chat-completion.ts';
import { readChatQuestion } from './chat-request.ts';
import { openAiErrorResponse, toCallersError } from './error-response.ts';
import { describeModel, listModels } from './models.ts';
import { toResponseEvents, toResponseObject } from './response-object.ts';
import { readResponseQuestion } from './response-request.ts';

export { openAiErrorResponse } from './error-response.ts';

/** What the API needs. */
export interface OpenAiServices extends AskServices {
  sessions: Sessions;
}

type Arguments = [services: OpenAiServices, request: RawRequest, invocation: Invocation];
type Handler = (...all: Arguments) => Promise<Reply>;

/** The operations. @throws AskError when the settings turn the API off, or the user may not ask. */
export const openAiHandlers = {
  chatCompletions: whenOn((services, request, invocation) =>
    answerRequest(services, request, invocation, {
      ...common(invocation),
      read: (userId, signal) => readChatQuestion(request, services.config, { userId, signal }),
      toResponse: (answer, question, record) =>
        json(200, toChatCompletion(answer, question, record), headersOf(record)),
      toEvents: toChunks,
    }),
  ),
  responses: whenOn((services, request, invocation) =>
    answerRequest(services, request, invocation, {
      ...common(invocation),
      read: (userId, signal) => readResponseQuestion(request, services, { userId, signal }),
      toResponse: (answer, question, record) =>
        json(200, toResponseObject(answer, question, record), headersOf(record)),
      toEvents: toResponseEvents,
    }),
  ),
  models: modelsFor(listModels),
  model: modelsFor(describeModel),
} satisfies Record<string, Handler>;

function common(invocation: Invocation): Pick<AnswerFormat<Question>, 'headers' | 'toErrorResponse'> {
  return {
    headers: headersOf,
    toErrorResponse(error, question, record) {
      const response = openAiErrorResponse(toCallersError(error, question), invocation);
      return { ...response, headers: { ...response.headers, ...rateLimitsOf(record) } };
    },
  };
}

const headersOf = (record: QuestionRecord): Record<string, string> => ({
  ...answerHeaders(record),
  ...rateLimitsOf(record),
});

/**
 * The rate limits of the model that its last response told, by the names of OpenAI's headers:
 * platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers. Azure sends -1 for a number that it does not know
 * (openai/openai-dotnet#838).
 */
const rateLimitsOf = ({ connection }: QuestionRecord): Record<string, string> =>
  Object.fromEntries(
    Object.entries(connection?.headers ?? {}).filter(
      (header): header is [string, string] =>
        header[0].startsWith('x-ratelimit-') && typeof header[1] === 'string' && !header[1].startsWith('-'),
    ),
  );

/** The models are the same for all users, but shown only to them. */
function modelsFor(handle: (models: ModelConfig, request: RawRequest) => Reply): Handler {
  return whenOn(({ config }, request) => {
    readUserId(request, config.users);
    return handle(config.model, request);
  });
}

function whenOn(handle: (...all: Arguments) => Reply | Promise<Reply>): Handler {
  return async (services, ...request) => {
    if (!services.config.openAiApi.isOn) throw errors.openAiApiOff();
    return handle(services, ...request);
  };
}
