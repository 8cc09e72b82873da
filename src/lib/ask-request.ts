/** Reads a question out of an HTTP request, and says what is wrong with one that cannot be read. */
import { randomUUID } from 'node:crypto';
import type { HttpRequest } from '@azure/functions';
import type { ZodMiniType } from 'zod/mini';
import type { Question } from './answer-question.ts';
import { askFields, sessionId as sessionIdSchema } from './ask-fields.ts';
import { readCacheControl } from './cache-control.ts';
import type { Config } from './config.ts';
import { errors } from './errors.ts';
import { readUserId } from './signed-in-user.ts';

const MAX_IDEMPOTENCY_KEY_CHARS = 255;
/** JSON may escape a character of the question as six (\uXXXX); 16 KiB are left for all the rest. */
const maxBodyBytes = (maxQuestionChars: number): number => 6 * maxQuestionChars + 16 * 1024;

/**
 * Reads and validates the question of `request`.
 * @throws AskError with status 400, 405, 413 or 415 that says which field is wrong and why.
 */
export async function readQuestion(
  request: HttpRequest,
  { maxQuestionChars, trustsUserHeaders }: Config,
): Promise<Question> {
  if (request.method !== 'POST') throw errors.methodNotAllowed('POST');
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    throw errors.unsupportedMediaType();
  }
  const body = parseObject(await readText(request, maxBodyBytes(maxQuestionChars)));
  const fields = check(askFields, body);
  if (fields.question.length > maxQuestionChars) throw errors.questionTooLong(maxQuestionChars);
  const sessionId = fields.session_id ?? undefined;
  return {
    question: fields.question,
    sessionId: sessionId ?? randomUUID(),
    isNewSession: sessionId === undefined,
    newConversation: fields.new_conversation ?? false,
    cacheControl: readCacheControl(request.headers.get('cache-control')),
    userId: readUserId(request, trustsUserHeaders),
    idempotencyKey: readIdempotencyKey(request, sessionId),
    stream: fields.stream === true || /\btext\/event-stream\b/i.test(request.headers.get('accept') ?? ''),
  };
}

/** Reads the body as UTF-8, never more than `maxBytes` of it. */
async function readText(request: HttpRequest, maxBytes: number): Promise<string> {
  if (Number(request.headers.get('content-length')) > maxBytes) throw errors.bodyTooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  // The body is typed without its chunks; a request's are always bytes.
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw errors.bodyTooLarge(maxBytes);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw errors.invalidJson('The body is not valid UTF-8.');
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw errors.invalidJson('The body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw errors.invalidJson('The body is not a JSON object.');
  }
  // Only an escape can bring a lone surrogate, so a body without one need not be walked.
  if (/\\ud/i.test(text) && !isWellFormed(value)) {
    throw errors.invalidJson(
      'The body has half of a surrogate pair (\\ud800 to \\udfff), which is no character.',
    );
  }
  return value as Record<string, unknown>;
}

/** True when no text in a JSON value, keys included, has a lone surrogate. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item));
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
    throw errors.invalidHeader('Idempotency-Key', 'needs the field "session_id" beside it');
  }
  return key;
}
