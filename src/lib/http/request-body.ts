/** Reads the body of an HTTP request as a JSON object, within bounds of size and time. */
import type { HttpRequest } from '@azure/functions';
import { CallerLeft } from './caller.ts';
import { AskError, errors } from '../contract/errors.ts';
import { untilAborted } from '../runtime/until-aborted.ts';

/**
 * Gives the JSON object that the body of `request` is.
 * @throws AskError that says what is wrong with it, {@link CallerLeft} when it breaks off, or the reason of `signal`
 * when that aborts before all of it has come.
 */
export async function readJsonObject(
  request: HttpRequest,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  if (Number(request.headers.get('content-length')) > maxBytes) throw errors.bodyTooLarge(maxBytes);
  // The body is not cancelled when the signal aborts: that would close the socket of the answer.
  const bytes = await untilAborted(readBytes(request, maxBytes), signal);
  return parseObject(decode(bytes));
}

async function readBytes(request: HttpRequest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // The body is typed without its chunks; a request's are always bytes.
    for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > maxBytes) throw errors.bodyTooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof AskError ? error : new CallerLeft();
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
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
function isWellFormed(root: unknown): boolean {
  // A list of what is left to see: a body may be nested more deeply than functions may call themselves.
  const unseen = [root];
  while (unseen.length > 0) {
    const value = unseen.pop();
    if (typeof value === 'string' && !value.isWellFormed()) return false;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, item] of Object.entries(value)) {
      if (!key.isWellFormed()) return false;
      unseen.push(item);
    }
  }
  return true;
}
