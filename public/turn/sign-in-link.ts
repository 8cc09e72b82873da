/** Where the user signs in. */
import { element } from '../parts/dom.ts';

/**
 * Creates a link to the sign-in page of App Service authentication. Show it only where the server is known to have one.
 * It leads back to the page without the session, whose id is a secret.
 */
export function signInLink(): HTMLElement {
  const back = new URLSearchParams({ post_login_redirect_uri: location.pathname });
  return element('a', { href: `/.auth/login/aad?${back}` }, 'Sign in');
}
