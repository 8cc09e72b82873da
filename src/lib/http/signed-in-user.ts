/**
 * The signed-in user, from the headers of App Service authentication:
 * learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 */
import { errors } from '../contract/errors.ts';
import type { RawRequest } from './raw-request.ts';

const PRINCIPAL = 'x-ms-client-principal';
const ID = 'x-ms-client-principal-id';
const PROVIDER = 'x-ms-client-principal-idp';
const NAME = 'x-ms-client-principal-name';

/** The provider in the ids of callers (user.ts). A sign-in with a provider of this name is refused. */
export const CALLER = 'caller';

/**
 * Claims that identify a user, in order of preference. Entra's object id comes first: it is the same for all apps, and
 * App Service sends it in the id header too.
 */
const ID_CLAIMS = [
  'http://schemas.microsoft.com/identity/claims/objectidentifier',
  'oid',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier',
  'sub',
];

/** The principal in the header. The fields differ between App Service and Static Web Apps. */
interface Principal {
  // App Service
  auth_typ?: unknown;
  claims?: unknown;
  // Static Web Apps
  identityProvider?: unknown;
  userId?: unknown;
}

/**
 * Gives a unique id of the signed-in user, or null when the caller is not signed in. Any caller can send these headers: use
 * it only where App Service authentication is on and sets them itself.
 * @throws AskError when the caller is signed in, but the headers do not identify the user.
 */
export function readSignedInUser(request: RawRequest): string | null {
  if (!hasUser(request)) return null;
  const principal = readPrincipal(request.header(PRINCIPAL));
  const [provider, id] = principal.identityProvider
    ? [principal.identityProvider, principal.userId]
    : [request.header(PROVIDER) || principal.auth_typ, request.header(ID) || claimedId(principal)];
  if (!isText(provider) || !isText(id) || provider === CALLER) throw errors.userUnknown();
  return JSON.stringify([provider, id]);
}

/** Whether the headers tell of a signed-in user. Any caller can send them, see {@link readSignedInUser}. */
export const hasUser = (request: RawRequest): boolean =>
  [PRINCIPAL, ID, PROVIDER, NAME].some((name) => request.header(name));

/** Decodes the principal from Base64. An invalid one gives an object without fields. */
function readPrincipal(encoded: string | null): Principal {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded ?? '', 'base64').toString());
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function claimedId({ claims }: Principal): unknown {
  const all = Array.isArray(claims) ? (claims as ({ typ?: unknown; val?: unknown } | null)[]) : [];
  const values = ID_CLAIMS.map((type) => all.find((claim) => claim?.typ === type)?.val);
  return values.find(isText);
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
