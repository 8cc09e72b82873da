/** `npm run register`: creates the app registration with which users sign in. */
import { z } from 'zod';
import { runCli } from './azd/cli.ts';
import { createRegistration } from './azd/registration.ts';

/** The help text. */
export const help = `npm run register

Creates an app registration in Entra for the current azd environment, and sets ASK_AUTH_CLIENT_ID to its client id: with the next
"azd up" or "azd provision", users sign in. Afterwards a hook of azd completes the registration, since only then are the
address and the identity of the app known. It needs the Azure CLI, and an account that may create app registrations.`;

/** Sets the exit code to 1 when there is no environment, it has a registration already, or none could be created. */
export async function main(): Promise<void> {
  try {
    const { AZURE_ENV_NAME: environment, ASK_AUTH_CLIENT_ID: existing } = await environmentValues();
    if (!environment) throw new Error('There is no azd environment: run "azd env new NAME" first.');
    if (existing) throw new Error(`Users sign in already: ASK_AUTH_CLIENT_ID is ${existing}.`);
    const { appId } = await createRegistration(environment);
    try {
      await runCli('azd', ['env', 'set', `ASK_AUTH_CLIENT_ID=${appId}`]);
    } catch (error) {
      const command = `azd env set ASK_AUTH_CLIENT_ID ${appId}`;
      throw new Error(`${messageOf(error)}\nRegistered, but not set: ${command}`, { cause: error });
    }
    console.log(`Registered ${appId}. Next: azd up`);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

async function environmentValues(): Promise<Record<string, string | undefined>> {
  const text = await runCli('azd', ['env', 'get-values', '--output', 'json']);
  return z.record(z.string(), z.string()).parse(JSON.parse(text));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
