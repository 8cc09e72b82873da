/** Reads the body of POST /v1/chat/completions as a question: in a session, or with the whole prompt. */
import { randomUUID } from 'node:crypto';
import type { Question } from '../ask/question.ts';
import type { Config } from '../config/config.ts';
import { sessionId as sessionIdSchema } from '../contract/ask-fields.ts';
import { type ChatFields, chatFields } from '../contract/openai-fields.ts';
import { errors } from '../contract/errors.ts';
import {
  check,
  checkSessionId,
  maxBodyBytes,
  readCacheControl,
  readIdempotencyKey,
  readJsonObject,
  type Reading,
} from '../http/ask-request.ts';
import type { RawRequest } from '../http/raw-request.ts';
import { lastQuestion, toPrompt } from './messages.ts';
import { refuseOthers, toModelOverrides, toResponseFormat } from './model-overrides.ts';

/** A question, and what its answer has to say beside the text. */
export interface ChatQuestion extends Question {
  /** The model that the caller named. */
  model: string;
  /** A stream ends with the token counts. */
  includesUsage: boolean;
  /** The body has our measurements. */
  includesMetrics: boolean;
}

/** A token of history has about four bytes, and JSON may escape some of them. */
const BODY_BYTES_PER_TOKEN = 8;

/** Reads the body of a request of this API. @throws AskError, or the reason of `signal`. */
export function readBody(
  request: RawRequest,
  { maxQuestionChars, historyMaxTokens }: Config,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  // As much as a question with its history has at most.
  const maxBytes = maxBodyBytes(maxQuestionChars) + BODY_BYTES_PER_TOKEN * historyMaxTokens;
  return readJsonObject(request, { content: 'completion', maxBytes }, signal);
}

/** Reads and validates a request. @throws AskError that says what is wrong, or the reason of `signal`. */
export async function readChatQuestion(
  request: RawRequest,
  config: Config,
  { userId, signal }: Reading,
): Promise<ChatQuestion> {
  const body = await readBody(request, config, signal);
  refuseOthers(body, FIELDS);
  const fields = check(chatFields, body);
  const prompt = toPrompt(fields.messages, 'messages');
  const sessionId = readSessionId(request, fields);
  return {
    ...(sessionId === undefined
      ? { prompt, text: prompt.at(-1)?.[1] ?? '', sessionId: randomUUID() }
      : { ...lastQuestion(prompt, 'messages', config.maxQuestionChars), sessionId }),
    isNewSession: sessionId === undefined,
    newConversation: false,
    overrides: overridesOf(config, fields),
    promptCacheKey: fields.prompt_cache_key ?? undefined,
    ...readCommon(request, sessionId),
    userId,
    stream: fields.stream === true,
    model: fields.model,
    includesUsage: fields.stream_options?.include_usage === true,
  };
}

const FIELDS: ReadonlySet<string> = new Set(Object.keys(chatFields.shape));

/** What both operations read from the headers. */
export const readCommon = (request: RawRequest, sessionId: string | undefined) => ({
  cacheControl: readCacheControl(request.header('cache-control')),
  idempotencyKey: sessionId === undefined ? undefined : readIdempotencyKey(request, sessionId),
  textFrom: 0,
  replaces: undefined,
  includesMetrics: request.header('x-performance-metrics') !== null,
});

/** Gives the session that the headers or the metadata name. */
export function readSessionId(
  request: RawRequest,
  { metadata }: Pick<ChatFields, 'metadata'>,
): string | undefined {
  const header = request.header('x-session-id');
  if (header === null) {
    const id = metadata?.['session_id'];
    return id === undefined ? undefined : check(sessionIdSchema, id, 'metadata.session_id');
  }
  return checkSessionId(header);
}

function overridesOf(config: Config, fields: ChatFields) {
  const { max_tokens: older, max_completion_tokens: newer, stop } = fields;
  if (older != null && newer != null && older !== newer)
    throw errors.invalidField('max_tokens', 'must not differ from "max_completion_tokens"');
  const [limitName, limit] = newer == null ? ['max_tokens', older] : ['max_completion_tokens', newer];
  return toModelOverrides(config, fields.model, [
    ['temperature', 'temperature', fields.temperature],
    ['topP', 'top_p', fields.top_p],
    ['maxOutputTokens', limitName, limit],
    ['reasoningEffort', 'reasoning_effort', fields.reasoning_effort],
    ['verbosity', 'verbosity', fields.verbosity],
    ['responseFormat', 'response_format', toResponseFormat(fields.response_format)],
    ['stop', 'stop', typeof stop === 'string' ? [stop] : stop],
    ['seed', 'seed', fields.seed],
    ['frequencyPenalty', 'frequency_penalty', fields.frequency_penalty],
    ['presencePenalty', 'presence_penalty', fields.presence_penalty],
  ]);
}
