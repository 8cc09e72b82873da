/** Tokens for the identity of the app. What hangs ends, nothing that hung is waited for twice, and failures are told apart. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity';
import type { IdentityConfig } from '../config/config.ts';
import { untilAborted } from './until-aborted.ts';

/** An attempt that has taken longer may hang: who comes later starts one of his own. */
const JOIN_MS = 2000;
/** Few and quick, because the question that waits is tried again too. */
const RETRIES = { maxRetries: 2, retryDelayInMs: 500, maxRetryDelayInMs: 1000 };
/**
 * Statuses below 500 after which the same request may succeed.
 * learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
 */
const PASSING_STATUSES = new Set([404, 408, 410, 429]);

/** There is no token. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  /** The endpoint that gives tokens failed; otherwise it refused, or there is no identity. */
  readonly isPassing: boolean;
  /** For the log. */
  readonly code: string;

  constructor(isPassing: boolean, cause: unknown) {
    super(isPassing ? 'the identity endpoint failed' : 'there is no token for this identity', { cause });
    this.isPassing = isPassing;
    this.code = isPassing ? 'identity_endpoint_failing' : 'identity_refused';
  }
}

interface Attempt {
  startedAt: number;
  token: Promise<AccessToken>;
}

/**
 * Gives what the Azure libraries take as a credential. `getToken` ends with its signal, and after `config.timeoutMs` at the latest.
 * @throws IdentityError (`getToken`)
 */
export function createIdentity(config: IdentityConfig): TokenCredential {
  const attempts = new Map<string, Attempt>();

  return {
    async getToken(scopes, options = {}) {
      const key = `${String(scopes)} ${options.tenantId ?? ''}`;
      let attempt = attempts.get(key);
      if (!attempt || performance.now() - attempt.startedAt > JOIN_MS) {
        const begun = { startedAt: performance.now(), token: fetchToken(config, scopes, options) };
        const forget = (): void => {
          if (attempts.get(key) === begun) attempts.delete(key);
        };
        begun.token.then(forget, forget);
        attempts.set(key, begun);
        attempt = begun;
      }
      const signal = options.abortSignal as AbortSignal | undefined;
      return signal ? untilAborted(attempt.token, signal) : attempt.token;
    },
  };
}

async function fetchToken(
  { clientId, authorityHost, timeoutMs }: IdentityConfig,
  scopes: string | string[],
  { tenantId, claims, enableCae }: GetTokenOptions,
): Promise<AccessToken> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`no token within ${timeoutMs} ms`)), timeoutMs);
  const exchange: Exchange = { signal: limit.signal, failed: false };
  try {
    // Loaded only here: the library is large, and an app with keys never needs it.
    const { DefaultAzureCredential } = await import('@azure/identity');
    const credential = new DefaultAzureCredential({
      ...(clientId !== undefined && { managedIdentityClientId: clientId }),
      authorityHost,
      httpClient,
      retryOptions: RETRIES,
      processTimeoutInMs: timeoutMs,
    });
    const options = { abortSignal: limit.signal, tenantId, claims, enableCae } as GetTokenOptions;
    const token = exchanges.run(exchange, () => credential.getToken(scopes, options));
    return await untilAborted(token, limit.signal);
  } catch (error) {
    throw new IdentityError(limit.signal.aborted || exchange.failed, error);
  } finally {
    clearTimeout(timer);
  }
}

/** What one attempt has to do with its requests. */
interface Exchange {
  /** Ends them: the library takes no signal for those to a managed identity. */
  signal: AbortSignal;
  /** Whether the last one failed: the library gives failures and refusals the same name. */
  failed: boolean;
}

/** The library keeps the first client that it is given for all later attempts, so the attempt cannot be part of it. */
const exchanges = new AsyncLocalStorage<Exchange>();

const inner = createDefaultHttpClient();
const httpClient: HttpClient = {
  async sendRequest(request) {
    const exchange = exchanges.getStore();
    // A request with a limit of its own only looks whether there is an identity at all.
    if (!exchange || request.timeout > 0) return inner.sendRequest(request);
    const own = request.abortSignal as AbortSignal | undefined;
    request.abortSignal = own ? AbortSignal.any([own, exchange.signal]) : exchange.signal;
    exchange.failed = true;
    const response = await inner.sendRequest(request);
    exchange.failed = response.status >= 500 || PASSING_STATUSES.has(response.status);
    return response;
  },
};
