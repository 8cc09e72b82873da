/** The part of the table of errors about who may ask. Use it through errors.ts. */
import { AskError } from './ask-error.ts';

export const accessErrors = {
  notSignedIn: () =>
    new AskError(
      401,
      'not_signed_in',
      'Sign in to list your sessions. A single session can be read at /sessions/{session_id} without signing in.',
    ),
  callerUnknown: () =>
    new AskError(
      401,
      'invalid_api_key',
      'Your key is missing or wrong. Send it in the header "Authorization: Bearer KEY", or in "api-key".',
      { headers: { 'WWW-Authenticate': 'Bearer' } },
    ),
  userUnknown: () =>
    new AskError(
      401,
      'not_signed_in',
      'The sign-in does not identify the user. Sign out, then sign in again.',
    ),
  originNotAllowed: () =>
    new AskError(
      403,
      'origin_not_allowed',
      'Web pages of this origin may not call this service. The operator can allow it with MCP_ALLOWED_ORIGINS.',
    ),
};
