/** What a failed call of the model means: the error of ours that the caller gets. */
import { ContextOverflowError } from '@langchain/core/errors';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { chainOf } from '../runtime/error-chain.ts';
import { AskError, errors } from '../contract/errors.ts';

/** The model answered, but with no text, and named no reason for it. */
export class EmptyAnswerError extends Error {
  override readonly name = 'EmptyAnswerError';
}

/** Those of 400 to 499 that another attempt may not get: request timeout, conflict, too early. */
const PASSING = new Set([408, 409, 425]);

/** Gives the error for what LangChain threw; `record` is that of the call. */
export function toModelError(error: unknown, record: ConnectionRecord): AskError {
  const chain = chainOf(error);
  // What we threw ourselves, when signing in, comes back wrapped.
  const own = chain.find((cause) => cause instanceof AskError);
  if (own) return own;
  const codes = new Set(chain.map(({ code }) => code));
  const headers = chain.map((cause) => cause.headers).find(isHeaders);
  const { status } = record;
  if (codes.has('content_filter')) return errors.contentFiltered(error);
  // LangChain knows it by its words too: not all services send the code.
  if (codes.has('context_length_exceeded') || ContextOverflowError.isInstance(error)) {
    return errors.conversationTooLong(error);
  }
  if (status === 429) return errors.modelRateLimited(retryAfterMs(headers), error);
  // The same request would be refused again.
  if (status !== null && status >= 400 && status < 500 && !PASSING.has(status)) {
    return errors.modelMisconfigured(error);
  }
  return errors.modelUnavailable(error, retryAfterMs(headers));
}

interface Headers {
  get(name: string): string | null;
}

const isHeaders = (value: unknown): value is Headers =>
  typeof value === 'object' && value !== null && 'get' in value;

/** Reads `retry-after-ms` or `Retry-After` (seconds, or a date). Gives milliseconds. */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (ms >= 0) return ms;
  const value = headers?.get('retry-after') ?? '';
  const wait = /^\s*[\d.]+\s*$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
