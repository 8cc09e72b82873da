/**
 * Who asks, where App Service authentication says so:
 * learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 */
import type { HttpRequest } from '@azure/functions';
import { errors } from '../contract/errors.ts';

const PRINCIPAL = 'x-ms-client-principal';
const ID = 'x-ms-client-principal-id';
const PROVIDER = 'x-ms-client-principal-idp';
const NAME = 'x-ms-client-principal-name';

/**
 * Claims that tell users apart, the best first: what Entra calls its users' object id is the same for all apps, and it
 * is what the header has that App Service sends of the id.
 */
const ID_CLAIMS = [
  'http://schemas.microsoft.com/identity/claims/objectidentifier',
  'oid',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier',
  'sub',
];

/** What we read of the principal. Static Web Apps has fields of its own. */
interface Principal {
  auth_typ?: unknown;
  claims?: unknown;
  identityProvider?: unknown;
  userId?: unknown;
}

/**
 * Gives the id of the user who signed in, unlike those of all others, or null when nobody is. The headers that carry it
 * can be sent by anyone: they are to be believed only where App Service sets them, which `trusted` says.
 * @throws AskError when somebody is signed in and the headers do not say who.
 */
export function readUserId({ headers }: HttpRequest, trusted: boolean): string | null {
  if (!trusted || ![PRINCIPAL, ID, PROVIDER, NAME].some((name) => headers.get(name))) return null;
  // Not by the library's `request.user`: that throws when one of the headers is absent.
  const principal = readPrincipal(headers.get(PRINCIPAL));
  const [provider, id] = principal.identityProvider
    ? [principal.identityProvider, principal.userId]
    : [headers.get(PROVIDER) || principal.auth_typ, headers.get(ID) || claimedId(principal)];
  if (!isText(provider) || !isText(id)) throw errors.userUnknown();
  return JSON.stringify([provider, id]);
}

/** The principal, encoded as Base64; one without fields when it cannot be read. */
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
