/** What to do about an app that does not answer in time. */
import type { NotAnswering } from './readiness.ts';
import { missingRoles, readRoles } from './roles.ts';

const MINUTE_MS = 60_000;

/** Returns advice: it tells a role that is missing from one that is there, and both from a broken app. */
export function adviseOn(
  { text, role, isFinal }: NotAnswering,
  app: { name: string; principalId: string },
): string {
  const log = `The log has the reason: func azure functionapp logstream ${app.name}`;
  if (isFinal) return `${text}. ${log}`;
  const ages = readRoles(app.principalId);
  if (typeof ages === 'string') return `${text}. Whether its identity has its roles is unknown: ${ages}`;
  const missing = missingRoles(ages);
  if (missing.length > 0)
    return `${text}: its identity lacks ${missing.join(', ')}. Run "azd provision" as an account that may assign roles.`;
  if (role === undefined) return `${text}, although its identity has all roles: the app is broken. ${log}`;
  const minutes = Math.round((ages.get(role) ?? 0) / MINUTE_MS);
  return `${text}, although its identity has had the role ${role} for ${minutes} min: the network may be closed to the app. ${log}`;
}
