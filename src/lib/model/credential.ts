/** Signing in at Azure OpenAI with the identity of the app, where there is no key. */
import type { AccessToken } from '@azure/identity';
import type { IdentityConfig } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import { createIdentity, IdentityError } from '../runtime/identity.ts';

/** A token that ends within this time is renewed, while it still serves. */
const RENEW_MS = 5 * 60_000;
/** Between attempts to renew one that still serves. */
const RENEW_INTERVAL_MS = 30_000;
/** What a request may take to arrive. */
const ARRIVAL_MS = 30_000;

/**
 * Gives a function that gives a valid token for `scope`. The first one is fetched in the background at once, and
 * each is renewed before it ends.
 * The function throws AskError: `model_unavailable` when the identity endpoint fails, `model_misconfigured` when it
 * refuses or there is no identity.
 */
export function signIn(config: IdentityConfig, scope: string): () => Promise<string> {
  const identity = createIdentity(config);
  let token: AccessToken | null = null;
  let renewAt = 0;

  async function renew(): Promise<string> {
    try {
      token = await identity.getToken(scope);
    } catch (error) {
      const isTransient = error instanceof IdentityError && error.isTransient;
      throw isTransient ? errors.modelUnavailable(error) : errors.modelMisconfigured(error);
    }
    if (token === null) throw errors.modelMisconfigured(new Error('the identity has no token'));
    renewAt = token.refreshAfterTimestamp ?? token.expiresOnTimestamp - RENEW_MS;
    return token.token;
  }

  // A failure is told by the question that needs the token.
  renew().catch(() => {});
  return async () => {
    const now = Date.now();
    if (token === null || now > token.expiresOnTimestamp - ARRIVAL_MS) return renew();
    const valid = token.token;
    if (now > renewAt) {
      renewAt = now + RENEW_INTERVAL_MS;
      renew().catch(() => {});
    }
    return valid;
  };
}
