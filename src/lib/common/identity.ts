/**
 * Tokens for the managed identity of the app. `DefaultAzureCredential` has no time limit and reports outages and refusals
 * alike; this wrapper limits the time and tells the two apart.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity';
import type { IdentityConfig } from '../config/config.ts';
import { untilAborted } from './pending-work.ts';

/** Calls share an attempt that is younger than this. An older attempt may hang, so the next call starts a new one. */
const SHARE_MS = 2000;
/** Few and fast, because the model call that waits for the token is retried too. */
const RETRY_OPTIONS = { maxRetries: 2, retryDelayInMs: 500, maxRetryDelayInMs: 1000 };
/**
 * Statuses below 500 after which a retry may succeed.
 * learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
 */
const TRANSIENT_STATUSES = new Set([404, 408, 410, 429]);

/** No token could be obtained. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  /** True when the token endpoint failed, so a retry may help. False when it refused, or the app has no identity. */
  readonly isTransient: boolean;
  /** Appears in the log. */
  readonly code: string;

  constructor(isTransient: boolean, cause: unknown) {
    super(isTransient ? 'the identity endpoint failed' : 'there is no token for this identity', { cause });
    this.isTransient = isTransient;
    this.code = isTransient ? 'identity_endpoint_failing' : 'identity_refused';
  }
}

interface Attempt {
  startedAt: number;
  token: Promise<AccessToken>;
}

/**
 * Creates a credential for the Azure libraries. `getToken` rejects with {@link IdentityError} when there is no token
 * within `config.timeoutMs`, or with the reason of its abort signal.
 */
export function createIdentity(config: IdentityConfig): TokenCredential {
  const attempts = new Map<string, Attempt>();

  return {
    async getToken(scopes, options = {}) {
      const key = `${String(scopes)} ${options.tenantId ?? ''}`;
      let attempt = attempts.get(key);
      if (!attempt || performance.now() - attempt.startedAt > SHARE_MS) {
        const started = { startedAt: performance.now(), token: fetchToken(config, scopes, options) };
        const remove = (): void => {
          if (attempts.get(key) === started) attempts.delete(key);
        };
        started.token.then(remove, remove);
        attempts.set(key, started);
        attempt = started;
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
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error(`no token within ${timeoutMs} ms`)), timeoutMs);
  const attemptState: AttemptState = { signal: timeout.signal, failed: false };
  try {
    // Loaded on demand, because the library is large and an app with keys does not need it.
    const { DefaultAzureCredential } = await import('@azure/identity');
    const credential = new DefaultAzureCredential({
      ...(clientId !== undefined && { managedIdentityClientId: clientId }),
      authorityHost,
      httpClient,
      retryOptions: RETRY_OPTIONS,
      processTimeoutInMs: timeoutMs,
    });
    const options = { abortSignal: timeout.signal, tenantId, claims, enableCae } as GetTokenOptions;
    const token = attemptStorage.run(attemptState, () => credential.getToken(scopes, options));
    return await untilAborted(token, timeout.signal);
  } catch (error) {
    throw new IdentityError(timeout.signal.aborted || attemptState.failed, error);
  } finally {
    clearTimeout(timer);
  }
}

/** What one attempt shares with its HTTP requests. */
interface AttemptState {
  /** Aborts the requests. The library ignores `abortSignal` for requests to a managed identity. */
  signal: AbortSignal;
  /** Whether the last request failed. The library throws the same error for failures and refusals. */
  failed: boolean;
}

/** The library reuses the first HTTP client for all later attempts, so the client cannot hold the state of an attempt. */
const attemptStorage = new AsyncLocalStorage<AttemptState>();

const defaultClient = createDefaultHttpClient();
const httpClient: HttpClient = {
  async sendRequest(request) {
    const attemptState = attemptStorage.getStore();
    // The library sets a timeout only on the probe for the existence of a managed identity, whose failure is no outage.
    if (!attemptState || request.timeout > 0) return defaultClient.sendRequest(request);
    const requestSignal = request.abortSignal as AbortSignal | undefined;
    request.abortSignal = requestSignal
      ? AbortSignal.any([requestSignal, attemptState.signal])
      : attemptState.signal;
    attemptState.failed = true;
    const response = await defaultClient.sendRequest(request);
    attemptState.failed = response.status >= 500 || TRANSIENT_STATUSES.has(response.status);
    return response;
  },
};

/** A token is renewed this long before it expires, unless the identity service gives a renewal time. */
const RENEW_BEFORE_EXPIRY_MS = 5 * 60_000;
/** Time between attempts to renew a token that is still valid, in milliseconds. */
export const RENEW_INTERVAL_MS = 30_000;

/** The time at which a token is to be renewed, in milliseconds since 1970. */
export const renewalTimeOf = ({ expiresOnTimestamp, refreshAfterTimestamp }: AccessToken): number =>
  refreshAfterTimestamp ?? expiresOnTimestamp - RENEW_BEFORE_EXPIRY_MS;
