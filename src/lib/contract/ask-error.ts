/**
 * The error class of the API, what the causes of an error tell, and advice for the operator. The errors themselves are in
 * errors.ts. Rejected: problem details (RFC 9457) as their form, because clients read `status` (docs/decisions/contract.md).
 */
import type { LimitName } from './metrics.ts';
import type { ErrorBody, ErrorCode } from './responses.ts';

/** An error of the API. `message` is sent to the caller; `cause` and `advice` only go to the log. */
export class AskError extends Error {
  override readonly name = 'AskError';
  /** HTTP status of the response. */
  readonly status: number;
  /** Stable identifier for client programs, in snake_case. */
  readonly code: ErrorCode;
  /** Milliseconds to wait before a retry; undefined when unknown. */
  readonly retryAfterMs: number | undefined;
  /** The budget or limit that `message` names; undefined when it names none. */
  readonly budget: LimitName | undefined;
  /** When that one renews, in milliseconds since 1970. */
  readonly renewsAt: number | undefined;
  /** The limit that `message` names, in its unit; undefined when it names none. */
  readonly limit: number | undefined;
  /** The field of the request that `message` names, as it stands there; undefined when it names none. */
  readonly param: string | undefined;
  /** What the operator can do, as the log says it; undefined when the code says enough, or only the caller can act. */
  readonly advice: string | undefined;
  /** Whether the log has it as an error, not as a warning: it recurs until the operator acts. */
  readonly isSevere: boolean;
  /** Further response headers, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, options: AskErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.budget = options.budget;
    this.renewsAt = options.renewsAt;
    this.limit = options.limit;
    this.param = options.param;
    this.advice = options.advice;
    this.isSevere = options.isSevere ?? false;
    this.headers = options.headers ?? {};
  }

  /** `retryAfterMs` in whole seconds, rounded up, for the header `Retry-After`. */
  get retryAfter(): number | undefined {
    return this.retryAfterMs === undefined ? undefined : Math.ceil(this.retryAfterMs / 1000);
  }

  /** The field `error` of a response: what is for client programs. */
  get details(): ErrorBody['error'] {
    const { code, retryAfter, limit, budget, renewsAt } = this;
    return {
      code,
      ...(retryAfter !== undefined && { retry_after: retryAfter }),
      ...(limit !== undefined && { limit }),
      ...(budget !== undefined && { budget }),
      ...(renewsAt !== undefined && { renews_at: new Date(renewsAt).toISOString() }),
    };
  }
}

interface AskErrorOptions {
  cause?: unknown;
  retryAfterMs?: number | undefined;
  budget?: LimitName;
  renewsAt?: number;
  limit?: number;
  param?: string;
  advice?: string | undefined;
  isSevere?: boolean;
  headers?: Record<string, string>;
}

/**
 * An error that may carry the status of a response, the fields of OpenAI's error object, or those of Node's errors.
 * Libraries declare none of them.
 */
type CodedError = Error & {
  status?: unknown;
  code?: unknown;
  type?: unknown;
  param?: unknown;
  address?: unknown;
  port?: unknown;
  errors?: { address?: unknown; port?: unknown }[];
};

/** An error can be its own cause. */
const MAX_CAUSES = 10;

/** Returns `cause`, its cause and so on, outermost first, at most ten. */
export function causesFrom(cause: unknown): CodedError[] {
  const all: CodedError[] = [];
  for (let next = cause; next instanceof Error && all.length < MAX_CAUSES; next = next.cause) all.push(next);
  return all;
}

/** What to check when the model cannot be used, by who refused it. */
export const REFUSAL_ADVICE = {
  azure:
    'check AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and AZURE_OPENAI_CHAT_DEPLOYMENT_NAME; ' +
    'without a key, grant the identity of this app the role "Cognitive Services OpenAI User".',
  other_server:
    'the server of the model refused the request. Check AZURE_OPENAI_API_KEY (the key that this server wants, or ' +
    'none), MODEL_HEADERS, and AZURE_OPENAI_CHAT_DEPLOYMENT_NAME (the name of its model).',
  sign_in:
    'AZURE_OPENAI_API_KEY is not set, and there is no token for this app. On your own machine, sign in with "az login"; ' +
    'on Azure, give the app an identity (AZURE_CLIENT_ID) with the role "Cognitive Services OpenAI User".',
};

/** Node's codes for a failed DNS lookup, permanent and temporary. */
const UNKNOWN_HOST = ['ENOTFOUND', 'EAI_AGAIN'];

/** What the operator can do about a connection that cannot be established; undefined for other errors. */
export function connectionAdvice(cause: unknown): string | undefined {
  const chain = causesFrom(cause);
  if (chain.some(({ code }) => UNKNOWN_HOST.includes(String(code))))
    return 'the host name cannot be resolved. Check AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS.';
  const refused = chain.find(({ code }) => code === 'ECONNREFUSED');
  if (!refused) return undefined;
  // A name with several addresses gives an error for each.
  const { address, port } = refused.errors?.[0] ?? refused;
  return `nothing listens at ${String(address)}:${String(port)}. Start the server of the model, or correct AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS.`;
}
