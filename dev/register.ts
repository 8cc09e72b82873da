/** `npm run register`: creates the app registration with which users sign in. */
import { azd } from './azd/commands.ts';
import { createRegistration } from './azd/registration.ts';

/** The help text. */
export const help = `npm run register

Creates an app registration in Entra for the current azd environment, and sets ASK_AUTH_CLIENT_ID to its client id: with the next
"azd up" or "azd provision", users sign in. Afterwards a hook of azd completes the registration, since only then are the
address and the identity of the app known. It needs the Azure CLI, and an account that may create app registrations.`;

/** Sets the exit code to 1 when there is no environment, it has a registration already, or none could be created. */
export async function main(): Promise<void> {
  try {
    const { AZURE_ENV_NAME: environment, ASK_AUTH_CLIENT_ID: existing } = environmentValues();
    if (!environment) throw new Error('There is no azd environment: run "azd env new NAME" first.');
    if (existing) throw new Error(`Users sign in already: ASK_AUTH_CLIENT_ID is ${existing}.`);
    const { appId } = createRegistration(environment);
    const { code, stderr } = azd('env set ASK_AUTH_CLIENT_ID', appId);
    if (code !== 0)
      throw new Error(`${stderr.trim()}\nRegistered, but not set: azd env set ASK_AUTH_CLIENT_ID ${appId}`);
    console.log(`Registered ${appId}. Next: azd up`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

function environmentValues(): Record<string, string | undefined> {
  const { code, stdout, stderr } = azd('env get-values --output json');
  if (code === null) throw new Error('The Azure Developer CLI ("azd") was not found: aka.ms/azd');
  if (code !== 0) throw new Error(stderr.trim());
  return JSON.parse(stdout) as Record<string, string>;
}
