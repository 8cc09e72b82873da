/** What to do about an app that does not answer in time. */
import type { NotAnswering } from './readiness.ts';
import { readRoles } from './roles.ts';

const MINUTE_MS = 60_000;

/** Returns advice: it tells a role that is missing from one that is there, and both from a broken app. */
export function adviseOn({ text, role }: NotAnswering, app: { name: string; principalId: string }): string {
  const log = `The log has the reason: func azure functionapp logstream ${app.name}`;
  if (role === undefined) return `${text}. The app is broken, its roles are not the reason. ${log}`;
  const ages = readRoles(app.principalId);
  if (typeof ages === 'string')
    return `${text}. Whether its identity has the role ${role} is unknown: ${ages}`;
  const age = ages.get(role);
  if (age === undefined)
    return `${text}: its identity lacks the role ${role}. Run "azd provision" as an account that may assign roles.`;
  const minutes = Math.round(age / MINUTE_MS);
  return `${text}, although its identity has had the role ${role} for ${minutes} min: the network may be closed to the app. ${log}`;
}
