/** `npm run predeploy`: what azd runs before a deployment. It waits until the roles of the app's identity act. */
import { azdVariables, readWaitLimits, waitWhile, WAIT_OPTIONS } from './azd/hook.ts';
import { missingRoles, readRoles, type RoleAges } from './azd/roles.ts';

/**
 * Storage refuses an identity for a while after its role was assigned, and the first deployment then fails with 403
 * InaccessibleStorageException; a minute later it works: github.com/Azure/azure-dev/issues/8026. Only the app's
 * identity could test it, so the age of the assignments decides.
 */
const SETTLING_MS = 120_000;

/** The help text. */
export const help = `npm run predeploy -- [options]

Waits until the app's identity has its roles, and until they are two minutes old: before, storage may refuse the package. After
the first deployment it does not wait. azd sets AZURE_IDENTITY_PRINCIPAL_ID from the outputs of infra/main.bicep; by hand:
azd hooks run predeploy

${WAIT_OPTIONS}`;

/** Sets the exit code to 1 when roles are missing. Without an Azure CLI that can list them, it does not wait. */
export async function main(args: string[]): Promise<void> {
  const variables = azdVariables('AZURE_IDENTITY_PRINCIPAL_ID');
  if (!variables) return;
  const principalId = variables.AZURE_IDENTITY_PRINCIPAL_ID;
  const reason = await waitWhile(readWaitLimits(args), async () =>
    reasonToWait(await readRoles(principalId)),
  );
  if (reason?.unknown) {
    console.warn(`The roles are not checked. ${reason.text}`);
  } else if (reason?.missing) {
    console.error(`${reason.text}. Assign them with "azd provision", as an account that may assign roles.`);
    process.exitCode = 1;
  }
}

interface Reason {
  text: string;
  isFinal?: boolean;
  missing?: boolean;
  unknown?: boolean;
}

function reasonToWait(ages: RoleAges | string): Reason | null {
  if (typeof ages === 'string') return { text: ages, isFinal: true, unknown: true };
  const missing = missingRoles(ages);
  if (missing.length > 0) return { text: `The app's identity lacks ${missing.join(', ')}`, missing: true };
  const seconds = Math.ceil((SETTLING_MS - Math.min(...ages.values())) / 1000);
  return seconds > 0 ? { text: `The roles are new: ${seconds} s until they act everywhere` } : null;
}
