/** `npm run postdeploy`: what azd runs after a deployment. It says how to use the app, and runs the smoke test. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { main as smoke } from './smoke.ts';

/** The host answers with an error while it starts for the first time. */
const KEY_ATTEMPTS = 6;
const KEY_INTERVAL_MS = 10_000;
const NO_AZ = `"az" was not found, so the smoke test has no function key. Install the Azure CLI, or copy the key from the
portal (the app, App keys) and run: npm run smoke -- --url URL --key KEY`;

/** The help text. */
export const help = `npm run postdeploy

Prints the address of the app that azd deployed, and how to call it. Then gets the function key with the Azure CLI,
without printing it, and runs the smoke test. azd sets the variables ASK_URL, ASK_SIGN_IN, AZURE_FUNCTION_APP_NAME,
AZURE_RESOURCE_GROUP and AZURE_SUBSCRIPTION_ID from the outputs of infra/main.bicep; by hand:
azd hooks run postdeploy`;

/** Sets the exit code: that of the smoke test, or 1 when there is no key. */
export async function main(): Promise<void> {
  const [url, app, group] = ['ASK_URL', 'AZURE_FUNCTION_APP_NAME', 'AZURE_RESOURCE_GROUP'].map(
    (name) => process.env[name],
  );
  if (!url || !app || !group) {
    console.error(
      'ASK_URL, AZURE_FUNCTION_APP_NAME and AZURE_RESOURCE_GROUP are not set: run "azd hooks run postdeploy".',
    );
    process.exitCode = 1;
    return;
  }
  if (process.env['ASK_SIGN_IN'] === 'true') {
    console.log(
      `Chat page: ${url}/ (users sign in)\nThe smoke test cannot sign in. GET ${url}/health needs no sign-in.`,
    );
    return;
  }
  const keyCommand = keysList(app, group);
  console.log(usage(url, keyCommand));
  const key = await functionKey(keyCommand);
  if (key === undefined) process.exitCode = 1;
  else await runSmokeTest(url, key);
}

const usage = (url: string, keyCommand: string[]): string => `
Chat page:    ${url}/ (it asks for the function key)
Function key: az ${keyCommand.join(' ')}
Ask:          curl -s ${url}/ask -H "x-functions-key: $KEY" -H 'Content-Type: application/json' \\
                -d '{"question": "What is the capital of France?"}'
`;

function keysList(app: string, group: string): string[] {
  const subscription = process.env['AZURE_SUBSCRIPTION_ID'];
  const target = ['--name', app, '--resource-group', group];
  if (subscription) target.push('--subscription', subscription);
  return ['functionapp', 'keys', 'list', ...target, '--query', 'functionKeys.default', '--output', 'tsv'];
}

/** Returns the key that the Azure CLI prints; undefined, after saying why, when there is none. */
async function functionKey(command: string[]): Promise<string | undefined> {
  // On Windows `az` is a script, which needs a shell.
  const shell = process.platform === 'win32';
  for (let attempt = 1; attempt <= KEY_ATTEMPTS; attempt++) {
    const { error, stdout } = spawnSync('az', command, {
      shell,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (error) {
      console.error(NO_AZ);
      return undefined;
    }
    const key = stdout.trim();
    if (key !== '') return key;
    console.error(`The Azure CLI returned no key (attempt ${attempt} of ${KEY_ATTEMPTS}).`);
    if (attempt < KEY_ATTEMPTS) await sleep(KEY_INTERVAL_MS);
  }
  return undefined;
}

async function runSmokeTest(url: string, key: string): Promise<void> {
  await smoke(['--url', url, '--key', key]);
  if (process.exitCode === 0) return;
  console.error(
    'New roles take some minutes to work everywhere. To repeat the test: azd hooks run postdeploy',
  );
}
