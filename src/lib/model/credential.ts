/** Access tokens for Azure OpenAI endpoints without a key, from the managed identity of the app. */
import type { AccessToken } from '@azure/identity';
import type { IdentityConfig } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import { createIdentity, IdentityError, RENEW_INTERVAL_MS, renewalTimeOf } from '../common/identity.ts';

/** A token that expires sooner is not used, because it must still be valid when the request arrives. */
const MIN_VALIDITY_MS = 30_000;

/**
 * Creates a function that returns a valid token for `scope`. The first token is requested immediately in the background,
 * and each token is renewed in the background before it expires. The function throws AskError: `model_unavailable` when
 * the token endpoint fails, `model_misconfigured` when it refuses or the app has no identity.
 */
export function createTokenProvider(config: IdentityConfig, scope: string): () => Promise<string> {
  const identity = createIdentity(config);
  let token: AccessToken | null = null;
  let renewAt = 0;

  async function renew(): Promise<string> {
    try {
      token = await identity.getToken(scope);
    } catch (error) {
      const isTransient = error instanceof IdentityError && error.isTransient;
      throw isTransient ? errors.modelUnavailable(error) : errors.modelMisconfigured(error, 'sign_in');
    }
    if (token === null) throw errors.modelMisconfigured(new Error('the identity has no token'), 'sign_in');
    renewAt = renewalTimeOf(token);
    return token.token;
  }

  // A failure is not reported here: the first question tries again and reports it.
  renew().catch(() => {});
  return async () => {
    const now = Date.now();
    if (token === null || now > token.expiresOnTimestamp - MIN_VALIDITY_MS) return renew();
    const current = token.token;
    if (now > renewAt) {
      renewAt = now + RENEW_INTERVAL_MS;
      renew().catch(() => {});
    }
    return current;
  };
}
