/** When the tokens of the app's identity are renewed. */
import type { AccessToken } from '@azure/identity';

/** A token is renewed this long before it expires, unless the identity service gives a renewal time. */
const RENEW_BEFORE_EXPIRY_MS = 5 * 60_000;
/** Time between attempts to renew a token that is still valid, in milliseconds. */
export const RENEW_INTERVAL_MS = 30_000;

/** The time at which a token is to be renewed, in milliseconds since 1970. */
export const renewalTimeOf = ({ expiresOnTimestamp, refreshAfterTimestamp }: AccessToken): number =>
  refreshAfterTimestamp ?? expiresOnTimestamp - RENEW_BEFORE_EXPIRY_MS;
