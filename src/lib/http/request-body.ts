/** Reads the body of an HTTP request as JSON, with limits on its size and time. */
import { AskError, type BodyContent, errors } from '../contract/errors.ts';
import { untilAborted } from '../common/pending-work.ts';
import { CallerDisconnectedError, type RawRequest } from './raw-request.ts';

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** The body that a route takes. */
export interface ExpectedBody {
  /** What it holds, for the messages of errors. */
  content: BodyContent;
  maxBytes: number;
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
  const bytes = await untilAborted(readBytes(request, expected), signal);
  return parse(decode(bytes, content), content);
}

async function readBytes(request: RawRequest, { maxBytes, content }: ExpectedBody): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.length;
      if (size > maxBytes) throw errors.bodyTooLarge(maxBytes, content);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof AskError ? error : new CallerDisconnectedError();
  }
  return Buffer.concat(chunks);
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
