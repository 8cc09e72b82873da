/** The roles of the app's identity, as the Azure CLI lists them. */
import * as z from 'zod/mini';
import { az, NO_AZ } from './commands.ts';

/** The roles that the template assigns: infra/modules/roles.bicep and model-role.bicep. */
export const ROLES = [
  'Storage Blob Data Owner',
  'Storage Table Data Contributor',
  'Cognitive Services OpenAI User',
  'Monitoring Metrics Publisher',
] as const;

/** A role that the template assigns. */
export type Role = (typeof ROLES)[number];

/** `createdOn` is a time of ISO 8601. */
const assignments = z.array(z.object({ roleDefinitionName: z.string(), createdOn: z.string() }));

/** The roles of an identity, with the age of the youngest assignment of each in milliseconds. */
export type RoleAges = Map<string, number>;

/** Lists the roles of an identity. Returns a text that says why when that is impossible. */
export function readRoles(principalId: string): RoleAges | string {
  const subscription = process.env['AZURE_SUBSCRIPTION_ID'];
  // Without the last option the CLI asks Entra for names, which not every account may do.
  const command = 'role assignment list --all --output json --fill-principal-name false';
  const target = ['--assignee', principalId, ...(subscription ? ['--subscription', subscription] : [])];
  const { code, stdout, stderr } = az(command, ...target);
  if (code === null) return NO_AZ;
  if (code !== 0) return stderr.trim();
  const ages: RoleAges = new Map();
  for (const { roleDefinitionName, createdOn } of assignments.parse(JSON.parse(stdout))) {
    const age = Date.now() - Date.parse(createdOn);
    ages.set(roleDefinitionName, Math.min(age, ages.get(roleDefinitionName) ?? Infinity));
  }
  return ages;
}

/** The roles of the template that are not in the list. */
export const missingRoles = (ages: RoleAges): Role[] => ROLES.filter((role) => !ages.has(role));
