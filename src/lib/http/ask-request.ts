/** Reads the body of a request as JSON, with limits on its size and time, and validates a question. */
import { randomUUID } from 'node:crypto';
import type { ZodMiniType } from 'zod/mini';
import type { CacheControl, Question } from '../ask/question.ts';
import {
  type AskFields,
  askFields,
  type CopyFields,
  copyFields,
  idempotencyKey,
  sessionId as sessionIdSchema,
} from '../contract/ask-fields.ts';
import type { Config } from '../config/config.ts';
import { errors, type BodyContent } from '../contract/errors.ts';
import type { RawRequest } from './raw-request.ts';
import { untilAborted } from '../common/pending-work.ts';

/** JSON may escape each character of the question as six (\uXXXX). 16 KiB are for the other fields. */
export const maxBodyBytes = (maxQuestionChars: number): number => 6 * maxQuestionChars + 16 * 1024;

/** Who asks, and what ends the reading of a request. */
export interface Reading {
  userId: string | null;
  signal: AbortSignal;
}

/**
 * Reads and validates the question of `request`.
 * @throws AskError (status 400, 413 or 415) that says what is wrong; CallerDisconnectedError when the body is
 * incomplete; the reason of `signal` when it aborts before the body has arrived.
 */
export async function readQuestion(
  request: RawRequest,
  { maxQuestionChars }: Config,
  { userId, signal }: Reading,
): Promise<Question> {
  const expected = { content: 'question', maxBytes: maxBodyBytes(maxQuestionChars) } as const;
  const body = await readJsonObject(request, expected, signal);
  const fields = checkAskFields(body, maxQuestionChars);
  return {
    ...inConversation(fields),
    cacheControl: readCacheControl(request.header('cache-control')),
    userId,
    idempotencyKey: readIdempotencyKey(request, fields.session_id ?? undefined),
    textFrom: readTextFrom(request),
    stream: fields.stream === true || acceptsEvents(request),
  };
}

/** True when the caller wants a stream of events. */
export const acceptsEvents = (request: RawRequest): boolean =>
  /\btext\/event-stream\b/i.test(request.header('accept') ?? '');

/** Gives the validated fields of a question. @throws AskError that names what is wrong. */
export function checkAskFields(value: unknown, maxQuestionChars: number): AskFields {
  const fields = check(askFields, value);
  if (fields.question.length > maxQuestionChars) throw errors.questionTooLong(maxQuestionChars);
  if (fields.replaces != null) {
    if (fields.session_id == null) throw errors.invalidField('replaces', 'requires the field "session_id"');
    if (fields.new_conversation === true)
      throw errors.invalidField('replaces', 'excludes "new_conversation": true');
  }
  return fields;
}

/** The question and its conversation: that of the session, or a new one. */
export const inConversation = (fields: AskFields) => ({
  text: fields.question,
  sessionId: fields.session_id ?? randomUUID(),
  isNewSession: fields.session_id == null,
  newConversation: fields.new_conversation ?? false,
  replaces: fields.replaces ?? undefined,
});

/** Gives `value` when it is a valid session id. @throws AskError otherwise. */
export const checkSessionId = (value: unknown): string => check(sessionIdSchema, value, 'session_id');

/** Gives `value` when it is a valid Idempotency-Key. @throws AskError that calls it `name` otherwise. */
export const checkKey = (value: unknown, name: string): string => check(idempotencyKey, value, name);

/** Validates `value`. @throws AskError that names the invalid field, or `name` when `value` itself is invalid. */
export function check<T>(schema: ZodMiniType<T>, value: unknown, name = 'body'): T {
  const { data, error } = schema.safeParse(value);
  const problem = error?.issues[0];
  if (problem) throw errors.invalidField(problem.path.join('.') || name, problem.message);
  return data as T;
}

export function readIdempotencyKey(request: RawRequest, sessionId: string | undefined): string | undefined {
  const key = request.header('idempotency-key');
  if (key === null) return undefined;
  // The key of an answer is a part of its address.
  const { error } = idempotencyKey.safeParse(key);
  if (error) throw errors.invalidHeader('Idempotency-Key', error.issues[0]?.message ?? 'is invalid');
  // Without a session id, a repeated question would begin a new session and never find the stored answer.
  if (sessionId === undefined) {
    throw errors.invalidHeader('Idempotency-Key', 'requires the field "session_id"');
  }
  return key;
}

/** Reads the header `Last-Event-ID`: where the text of an answer begins that the caller does not have. */
export function readTextFrom(request: RawRequest): number {
  const id = request.header('last-event-id') || '0';
  if (!/^\d{1,9}$/.test(id)) throw errors.invalidHeader('Last-Event-ID', 'must be the id of an event');
  return Number(id);
}

/** Parses the header `Cache-Control`. Unknown directives are ignored, as RFC 9111 requires. */
export function readCacheControl(header: string | null): CacheControl {
  const directives = new Map<string, string>();
  for (const directive of header?.split(',') ?? []) {
    const [name = '', value = ''] = directive.split('=', 2);
    directives.set(name.trim().toLowerCase(), value.trim().replaceAll('"', ''));
  }
  const msOf = (name: string): number => {
    const value = directives.get(name);
    return value === undefined ? Infinity : seconds(value);
  };
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    maxAgeMs: msOf('max-age'),
    staleIfErrorMs: msOf('stale-if-error'),
    onlyIfCached: directives.has('only-if-cached'),
  };
}

/** An invalid time counts as 0: RFC 9111, 4.2.1. */
const seconds = (text: string): number => (/^\d+$/.test(text) ? 1000 * Number(text) : 0);

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** The body that a route takes. */
export interface ExpectedBody {
  /** What it holds, for the messages of errors. */
  content: BodyContent;
  maxBytes: number;
}

/** Limit of the body of a request with few short fields. */
const MAX_SHORT_BODY_BYTES = 4096;

/** Reads the body of POST /sessions/{session_id}/copy. @throws as {@link readQuestion}. */
export async function readCopyFields(request: RawRequest, signal: AbortSignal): Promise<CopyFields> {
  const expected = { content: 'request', maxBytes: MAX_SHORT_BODY_BYTES } as const;
  return check(copyFields, await readJsonObject(request, expected, signal));
}

/** Reads the body of `request` as a JSON object. Errors as for {@link readJson}. */
export async function readJsonObject(
  request: RawRequest,
  expected: ExpectedBody,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const value = await readJson(request, expected, signal);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw errors.invalidJson('The body is not a JSON object.', expected.content);
  }
  return value as Record<string, unknown>;
}

/**
 * Reads the body of `request` as JSON.
 * @throws AskError that says what is wrong with the body; {@link CallerDisconnectedError} when the body is incomplete;
 * the reason of `signal` when it aborts before the body has arrived.
 */
export async function readJson(
  request: RawRequest,
  expected: ExpectedBody,
  signal: AbortSignal,
): Promise<unknown> {
  const { content, maxBytes } = expected;
  if (!JSON_TYPE.test(request.header('content-type') ?? '')) throw errors.unsupportedMediaType(content);
  if (Number(request.header('content-length')) > maxBytes) throw errors.bodyTooLarge(maxBytes, content);
  // An abort must not cancel the body: this would close the socket, which the error response needs.
  const bytes = await untilAborted(request.read(maxBytes), signal);
  if (bytes === null) throw errors.bodyTooLarge(maxBytes, content);
  return parse(decode(bytes, content), content);
}

function decode(bytes: Uint8Array, content: BodyContent): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw errors.invalidJson('The body is not valid UTF-8.', content);
  }
}

function parse(text: string, content: BodyContent): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw errors.invalidJson('The body is not valid JSON.', content);
  }
  // UTF-8 cannot contain a lone surrogate, so only a body with an escaped one has to be checked.
  if (/\\ud/i.test(text) && !isWellFormed(value)) {
    throw errors.invalidJson(
      'The body contains a lone surrogate (\\ud800 to \\udfff), which is not a valid character.',
      content,
    );
  }
  return value;
}

/** True when no string in a JSON value, keys included, contains a lone surrogate. */
function isWellFormed(root: unknown): boolean {
  // Not recursive: deeply nested JSON would overflow the call stack.
  const unchecked = [root];
  while (unchecked.length > 0) {
    const value = unchecked.pop();
    if (typeof value === 'string' && !value.isWellFormed()) return false;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, item] of Object.entries(value)) {
      if (!key.isWellFormed()) return false;
      unchecked.push(item);
    }
  }
  return true;
}
