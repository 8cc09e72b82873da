/** `npm run postprovision`: what azd runs after the template was deployed. It completes the app registration, if there is one. */
import { azdVariables } from './azd/hook.ts';
import { completeRegistration, readRegistration, tagOf } from './azd/registration.ts';

/** The help text. */
export const help = `npm run postprovision

When users sign in with a registration of "npm run register": gives it its identifier URI, the address to which Entra sends users
back, a service principal, and trust in the app's identity. Repeating it changes nothing. A registration that was made in another
way is left alone. ASK_AUTH_CLIENTS has the client ids, separated by commas, of programs for which no user has to consent.
By hand: azd hooks run postprovision`;

/** Sets the exit code to 1 when the registration could be read, but not be completed. */
export async function main(): Promise<void> {
  if (process.env['ASK_SIGN_IN'] !== 'true') return;
  const variables = azdVariables(
    ...(['ASK_AUTH_CLIENT_ID', 'ASK_URL', 'AZURE_ENV_NAME', 'AZURE_TENANT_ID'] as const),
    'AZURE_IDENTITY_PRINCIPAL_ID',
  );
  if (!variables) return;
  const { ASK_AUTH_CLIENT_ID: clientId, ASK_URL: url } = variables;
  let registration;
  try {
    registration = await readRegistration(clientId);
  } catch (error) {
    // An account that may not read it, such as that of a workflow, may deploy all the same: until the registration is complete, no user can sign in.
    console.warn(`The app registration ${clientId} was not checked. ${messageOf(error)}`);
    return;
  }
  if (!registration.tags.includes(tagOf(variables.AZURE_ENV_NAME))) {
    console.log(`The app registration ${clientId} was not made by "npm run register", and is left as it is.`);
    return;
  }
  try {
    await completeRegistration(registration, {
      url,
      tenantId: variables.AZURE_TENANT_ID,
      principalId: variables.AZURE_IDENTITY_PRINCIPAL_ID,
      clients: (process.env['ASK_AUTH_CLIENTS'] ?? '')
        .split(',')
        .map((id) => id.trim())
        .filter(Boolean),
    });
    console.log(`Users sign in with the app registration ${clientId}.`);
  } catch (error) {
    console.error(`The app registration ${clientId} could not be completed. ${messageOf(error)}`);
    process.exitCode = 1;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
