/** Reads and validates the question of an HTTP request. */
import { randomUUID } from 'node:crypto';
import type { ZodMiniType } from 'zod/mini';
import type { CacheControl, Question } from '../ask/question.ts';
import { type AskFields, askFields, sessionId as sessionIdSchema } from '../contract/ask-fields.ts';
import type { Config } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import type { RawRequest } from './raw-request.ts';
import { readJsonObject } from './request-body.ts';
import { readUserId } from './signed-in-user.ts';

const MAX_IDEMPOTENCY_KEY_CHARS = 255;
/** JSON may escape each character of the question as six (\uXXXX). 16 KiB are for the other fields. */
export const maxBodyBytes = (maxQuestionChars: number): number => 6 * maxQuestionChars + 16 * 1024;

/**
 * Reads and validates the question of `request`.
 * @throws AskError (status 400, 401, 413 or 415) that says what is wrong; CallerDisconnectedError when the body is
 * incomplete; the reason of `signal` when it aborts before the body has arrived.
 */
export async function readQuestion(
  request: RawRequest,
  { maxQuestionChars, trustsUserHeaders }: Config,
  signal: AbortSignal,
): Promise<Question> {
  const expected = { content: 'question', maxBytes: maxBodyBytes(maxQuestionChars) } as const;
  const body = await readJsonObject(request, expected, signal);
  const fields = checkAskFields(body, maxQuestionChars);
  return {
    ...inConversation(fields),
    cacheControl: readCacheControl(request.header('cache-control')),
    userId: readUserId(request, trustsUserHeaders),
    idempotencyKey: readIdempotencyKey(request, fields.session_id ?? undefined),
    stream: fields.stream === true || /\btext\/event-stream\b/i.test(request.header('accept') ?? ''),
  };
}

/** Gives the validated fields of a question. @throws AskError that names what is wrong. */
export function checkAskFields(value: unknown, maxQuestionChars: number): AskFields {
  const fields = check(askFields, value);
  if (fields.question.length > maxQuestionChars) throw errors.questionTooLong(maxQuestionChars);
  return fields;
}

/** The question and its conversation: that of the session, or a new one. */
export const inConversation = ({ question, session_id: sessionId, new_conversation: isNew }: AskFields) => ({
  text: question,
  sessionId: sessionId ?? randomUUID(),
  isNewSession: sessionId == null,
  newConversation: isNew ?? false,
});

/** Gives `value` when it is a valid session id. @throws AskError otherwise. */
export const checkSessionId = (value: unknown): string => check(sessionIdSchema, value, 'session_id');

/** Validates `value`. @throws AskError that names the invalid field, or `name` when `value` itself is invalid. */
function check<T>(schema: ZodMiniType<T>, value: unknown, name = 'body'): T {
  const { data, error } = schema.safeParse(value);
  const problem = error?.issues[0];
  if (problem) throw errors.invalidField(problem.path.join('.') || name, problem.message);
  return data as T;
}

function readIdempotencyKey(request: RawRequest, sessionId: string | undefined): string | undefined {
  const key = request.header('idempotency-key');
  if (key === null) return undefined;
  if (key.length < 1 || key.length > MAX_IDEMPOTENCY_KEY_CHARS) {
    throw errors.invalidHeader('Idempotency-Key', `must have 1 to ${MAX_IDEMPOTENCY_KEY_CHARS} characters`);
  }
  // Without a session id, a repeated question would begin a new session and never find the stored answer.
  if (sessionId === undefined) {
    throw errors.invalidHeader('Idempotency-Key', 'requires the field "session_id"');
  }
  return key;
}

/** Parses the header `Cache-Control`. Unknown directives are ignored, as RFC 9111 requires. */
export function readCacheControl(header: string | null): CacheControl {
  const directives = new Map<string, string>();
  for (const directive of header?.split(',') ?? []) {
    const [name = '', value = ''] = directive.split('=', 2);
    directives.set(name.trim().toLowerCase(), value.trim().replaceAll('"', ''));
  }
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    maxAgeMs: directives.has('max-age') ? seconds(directives.get('max-age') ?? '') : Infinity,
    onlyIfCached: directives.has('only-if-cached'),
  };
}

/** An invalid age counts as 0: RFC 9111, 4.2.1. */
const seconds = (text: string): number => (/^\d+$/.test(text) ? 1000 * Number(text) : 0);
