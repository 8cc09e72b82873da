/** Failed requests, as the user should be told about them. */
import type { ErrorBody } from '../../src/lib/contract/responses.ts';

const OFFLINE = 'The server cannot be reached. Check your connection, then try again.';
const BROKEN_OFF = 'The connection was lost before the answer was complete. Try again.';
const SIGNED_OUT = 'You are signed out. Sign in to continue.';

interface FailureDetails {
  needsKey?: boolean;
  needsSignIn?: boolean;
  isLost?: boolean;
  retryAfter?: number;
  code?: string | undefined;
  limit?: number | undefined;
}

/** A failed request, with a message for the user. */
export class AskFailure extends Error {
  /** The server asks for a key, or for another one. */
  readonly needsKey: boolean;
  /** The server knows users, and does not know this one. */
  readonly needsSignIn: boolean;
  /** The connection was lost, or there was none: the server may be answering all the same. */
  readonly isLost: boolean;
  /** Seconds until another attempt makes sense; 0 when unknown. */
  readonly retryAfter: number;
  /** The `error.code` of the API; undefined when the server did not answer. */
  readonly code: string | undefined;
  /** The `error.limit` of the API, such as the characters of a question; undefined when the message names none. */
  readonly limit: number | undefined;

  constructor(message: string, details: FailureDetails = {}) {
    const { needsKey = false, needsSignIn = false, isLost = false, retryAfter = 0, code, limit } = details;
    super(forUsers(message, details));
    this.needsKey = needsKey;
    this.needsSignIn = needsSignIn;
    this.isLost = isLost;
    this.retryAfter = retryAfter;
    this.code = code;
    this.limit = limit;
  }
}

const UTC_TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/;
const inLocalTime = (time: string): string =>
  new Date(time).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });

/** The message of the server without the names of fields, which are for programs. */
function forUsers(message: string, { code, limit }: FailureDetails): string {
  if (code === 'question_too_long' && limit !== undefined)
    return `The question is longer than ${limit.toLocaleString('en')} characters. Shorten it.`;
  // The server has already tried it with less of the chat history, and without.
  if (code === 'conversation_too_long')
    return 'The question is too long for the model, even without the earlier messages. Shorten it.';
  if (code === 'budget_exceeded') return message.replace(UTC_TIME, inLocalTime);
  if (code === 'answer_not_found') return 'This question was not answered.';
  return message;
}

/** The failure of a request that got no answer. */
export const offline = (): AskFailure => new AskFailure(OFFLINE, { isLost: true });

/** The failure of a request that is not sent, because it needs a key. */
export const keyMissing = (): AskFailure => new AskFailure('A key is missing.', { needsKey: true });

/** The failure of a stream that ended too early. */
export const brokenOff = (): AskFailure => new AskFailure(BROKEN_OFF, { isLost: true });

/** The failure of a request that was sent to the sign-in page. */
export const signedOut = (): AskFailure => new AskFailure(SIGNED_OUT, { needsSignIn: true });

/** The failure that an event, or the state of an answer, describes. */
export const failureIn = ({ status, error }: ErrorBody): AskFailure =>
  new AskFailure(status, { retryAfter: error.retry_after ?? 0, code: error.code, limit: error.limit });

/** The failure that a response with an error status describes. */
export async function failureOf(response: Response): Promise<AskFailure> {
  const body = isJson(response) ? ((await response.json().catch(() => null)) as ErrorLike | null) : null;
  const code = body?.error?.code;
  // App Service authentication names its scheme. The Functions host's 401 has no body, and asks for a key.
  const isSignIn =
    response.status === 401 && /^bearer\b/i.test(response.headers.get('WWW-Authenticate') ?? '');
  if (isSignIn && !code) return signedOut();
  const needsKey = code === 'invalid_api_key' || (!body && response.status === 401);
  const needsSignIn = code === 'not_signed_in';
  const message = body?.status ?? `The server answered with an error (HTTP ${response.status}). Try again.`;
  const seconds = Number(body?.error?.retry_after ?? response.headers.get('Retry-After'));
  const retryAfter = seconds > 0 ? Math.ceil(seconds) : 0;
  const limit = body?.error?.limit;
  return new AskFailure(message, { needsKey, needsSignIn, retryAfter, code, limit });
}

/** An error of the app, or of something between the app and this page. */
interface ErrorLike {
  status?: string;
  error?: { code?: string; retry_after?: number; limit?: number };
}

/** Whether the body of a response is JSON. */
export function isJson(response: Response): boolean {
  return /\bjson\b/i.test(response.headers.get('Content-Type') ?? '');
}

/** The message for anything that was thrown. An error of the page itself goes to the console. */
export function failureFrom(thrown: unknown): AskFailure {
  if (thrown instanceof AskFailure) return thrown;
  console.error(thrown);
  return new AskFailure('Something went wrong in this page. Reload it.');
}
