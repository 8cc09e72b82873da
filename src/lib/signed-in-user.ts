/** Who asks, where App Service authentication says so. */
import type { HttpRequest } from '@azure/functions';

/**
 * Gives the id of the user who signed in, unlike those of all others, or null. The headers that carry it can be sent
 * by anyone: they are to be believed only where App Service sets them, which `trusted` says.
 */
export function readUserId(request: HttpRequest, trusted: boolean): string | null {
  const user = trusted ? request.user : null;
  return user && JSON.stringify([user.identityProvider, user.id]);
}
