/** The roles of the app's identity, as the Azure CLI lists them. */
import { z } from 'zod';
import { azJson, CliError } from './cli.ts';

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
export async function readRoles(principalId: string): Promise<RoleAges | string> {
  // Without the last option the CLI asks Entra for names, which not every account may do.
  const command = ['role', 'assignment', 'list', '--all', '--fill-principal-name', 'false'];
  try {
    const list = await azJson(
      assignments,
      [...command, '--assignee', principalId],
      process.env['AZURE_SUBSCRIPTION_ID'],
    );
    const ages: RoleAges = new Map();
    for (const { roleDefinitionName, createdOn } of list) {
      const age = Date.now() - Date.parse(createdOn);
      ages.set(roleDefinitionName, Math.min(age, ages.get(roleDefinitionName) ?? Infinity));
    }
    return ages;
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}

/** The roles of the template that are not in the list. */
export const missingRoles = (ages: RoleAges): Role[] => ROLES.filter((role) => !ages.has(role));
