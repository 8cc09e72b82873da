/** The error class of the API. The errors themselves are in errors.ts. */
import type { ErrorCode } from './responses.ts';

/** An error of the API. `message` is sent to the caller; `cause` only goes to the log. */
export class AskError extends Error {
  override readonly name = 'AskError';
  /** HTTP status of the response. */
  readonly status: number;
  /** Stable identifier for client programs, in snake_case. */
  readonly code: ErrorCode;
  /** Milliseconds to wait before a retry; undefined when unknown. */
  readonly retryAfterMs: number | undefined;
  /** Further response headers, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, options: AskErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers ?? {};
  }

  /** `retryAfterMs` in whole seconds, rounded up, for the header `Retry-After`. */
  get retryAfter(): number | undefined {
    return this.retryAfterMs === undefined ? undefined : Math.ceil(this.retryAfterMs / 1000);
  }
}

interface AskErrorOptions {
  cause?: unknown;
  retryAfterMs?: number | undefined;
  headers?: Record<string, string>;
}
