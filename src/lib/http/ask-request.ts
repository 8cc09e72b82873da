/** Reads a question out of an HTTP request, and says what is wrong with one that cannot be read. */
import { randomUUID } from 'node:crypto';
import type { HttpRequest } from '@azure/functions';
import type { ZodMiniType } from 'zod/mini';
import type { Question } from '../ask/question.ts';
import { askFields, sessionId as sessionIdSchema } from '../contract/ask-fields.ts';
import { readCacheControl } from '../cache/cache-control.ts';
import type { Config } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import { readJsonObject } from './request-body.ts';
import { readUserId } from './signed-in-user.ts';

const MAX_IDEMPOTENCY_KEY_CHARS = 255;
/** JSON may escape a character of the question as six (\uXXXX); 16 KiB are left for all the rest. */
const maxBodyBytes = (maxQuestionChars: number): number => 6 * maxQuestionChars + 16 * 1024;

/**
 * Reads and validates the question of `request`.
 * @throws AskError with status 400, 413 or 415 that says which field is wrong and why; CallerLeft when the body
 * breaks off; the reason of `signal` when that aborts before the body has come.
 */
export async function readQuestion(
  request: HttpRequest,
  { maxQuestionChars, trustsUserHeaders }: Config,
  signal: AbortSignal,
): Promise<Question> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    throw errors.unsupportedMediaType();
  }
  const body = await readJsonObject(request, maxBodyBytes(maxQuestionChars), signal);
  const fields = check(askFields, body);
  if (fields.question.length > maxQuestionChars) throw errors.questionTooLong(maxQuestionChars);
  const sessionId = fields.session_id ?? undefined;
  return {
    text: fields.question,
    sessionId: sessionId ?? randomUUID(),
    isNewSession: sessionId === undefined,
    newConversation: fields.new_conversation ?? false,
    cacheControl: readCacheControl(request.headers.get('cache-control')),
    userId: readUserId(request, trustsUserHeaders),
    idempotencyKey: readIdempotencyKey(request, sessionId),
    stream: fields.stream === true || /\btext\/event-stream\b/i.test(request.headers.get('accept') ?? ''),
  };
}

/** Gives `value` back when it can be a session id. @throws AskError when not. */
export const checkSessionId = (value: string): string => check(sessionIdSchema, value, 'session_id');

/** Gives what `schema` knows of `value`. @throws AskError that names the field, or `whole` when it is all of it. */
function check<T>(schema: ZodMiniType<T>, value: unknown, whole = 'body'): T {
  const { data, error } = schema.safeParse(value);
  const problem = error?.issues[0];
  if (problem) throw errors.invalidField(problem.path.join('.') || whole, problem.message);
  return data as T;
}

function readIdempotencyKey(request: HttpRequest, sessionId: string | undefined): string | undefined {
  const key = request.headers.get('idempotency-key');
  if (key === null) return undefined;
  if (key.length < 1 || key.length > MAX_IDEMPOTENCY_KEY_CHARS) {
    throw errors.invalidHeader('Idempotency-Key', `must have 1 to ${MAX_IDEMPOTENCY_KEY_CHARS} characters`);
  }
  // Without one, a repeated question would begin another session, where nobody could find the first.
  if (sessionId === undefined) {
    throw errors.invalidHeader('Idempotency-Key', 'requires the field "session_id"');
  }
  return key;
}
