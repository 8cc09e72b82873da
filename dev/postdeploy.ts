/** `npm run postdeploy`: what azd runs after a deployment. It says how to use the app, and tests it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, runCli, subscriptionArgs } from './azd/cli.ts';
import { azdVariables, type WaitLimits, readWaitLimits, waitWhile, WAIT_OPTIONS } from './azd/hook.ts';
import { adviseOn, whyNotReady, whySignInFails } from './azd/readiness.ts';
import { main as smoke } from './smoke.ts';

/** The host answers with an error while it starts for the first time. */
const KEY_ATTEMPTS = 6;
const NO_KEY = `It gets the function key for the smoke test. Or copy the key from the portal (the app, App keys), and run:
npm run smoke -- --url URL --key KEY`;

/** The help text. */
export const help = `npm run postdeploy -- [options]

Prints the address of the app that azd deployed, and how to call it. Then gets the function key with the Azure CLI,
without printing it, waits until the app answers, and runs the smoke test. When users sign in, it checks instead that nobody is
answered without. Where callers have keys, it needs one in ASK_CALLER_KEY, or only waits until the app is ready. azd sets the variables
from the outputs of infra/main.bicep; by hand: azd hooks run postdeploy

${WAIT_OPTIONS}`;

/** Sets the exit code: that of the smoke test, or 1 when there is no key, or the app does not answer in time. */
export async function main(args: string[]): Promise<void> {
  const names = ['ASK_URL', 'AZURE_FUNCTION_APP_NAME', 'AZURE_RESOURCE_GROUP'] as const;
  const variables = azdVariables(...names, 'AZURE_IDENTITY_PRINCIPAL_ID');
  if (!variables) return;
  const { ASK_URL: url, AZURE_FUNCTION_APP_NAME: name } = variables;
  const limits = readWaitLimits(args);
  if (process.env['ASK_SIGN_IN'] === 'true') return checkSignIn(url, limits);
  const keyCommand = keysList(name, variables.AZURE_RESOURCE_GROUP);
  console.log(usage(url, keyCommand));
  const key = await functionKey(keyCommand, limits);
  if (key === undefined) return fail(`${NO_ANSWER}.`);
  console.log(`The app starts; this can take some minutes.`);
  const callerKey = process.env['ASK_CALLER_KEY'];
  const reason = await waitWhile(limits, () => whyNotReady({ url, key, callerKey }));
  if (reason)
    return fail(await adviseOn(reason, { name, principalId: variables.AZURE_IDENTITY_PRINCIPAL_ID }));
  if (process.env['ASK_CALLER_KEYS'] && !callerKey) {
    console.log(NO_CALLER);
    return;
  }
  await smoke(['--url', url, '--key', key, ...(callerKey ? ['--caller-key', callerKey] : [])]);
  if (process.exitCode !== 0) console.error(REPEAT);
}

const NO_ANSWER = 'The smoke test was not run';
const NO_CALLER = `The app is ready. Callers have keys, so the smoke test needs one: ASK_CALLER_KEY=KEY azd hooks run postdeploy`;
const REPEAT = 'To repeat this: azd hooks run postdeploy';

function fail(message: string): void {
  console.error(`${message}\n${REPEAT}`);
  process.exitCode = 1;
}

async function checkSignIn(url: string, limits: WaitLimits): Promise<void> {
  console.log(
    `Chat page: ${url}/ (users sign in)\nMCP:       ${url}/mcp (for agents: docs/mcp.md)\nThe smoke test cannot sign in. Only the sign-in is checked.`,
  );
  const reason = await waitWhile(limits, () => whySignInFails(url));
  if (reason) return fail(`${reason.text}.`);
  console.log('The page is shown, and questions need a sign-in.');
}

const usage = (url: string, keyCommand: string): string => `
Chat page:    ${url}/ (it asks for the function key)
Function key: az ${keyCommand}
Ask:          curl -s ${url}/ask -H "x-functions-key: $KEY" -H 'Content-Type: application/json' \\
                -d '{"question": "What is the capital of France?"}'
MCP:          ${url}/mcp (for agents, with the same header: docs/mcp.md)
`;

function keysList(app: string, group: string): string {
  const target = ['--name', app, '--resource-group', group];
  const options = [...target, ...subscriptionArgs(process.env['AZURE_SUBSCRIPTION_ID'])].join(' ');
  return `functionapp keys list ${options} --query functionKeys.default --output tsv`;
}

/** Returns the key that the Azure CLI prints; undefined, after saying why, when there is none. */
async function functionKey(command: string, { intervalMs }: WaitLimits): Promise<string | undefined> {
  for (let attempt = 1; attempt <= KEY_ATTEMPTS; attempt++) {
    let reason = 'The Azure CLI printed no key.';
    try {
      const key = (await runCli('az', command.split(' '))).trim();
      if (key !== '') return key;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (error.isNotInstalled) {
        console.error(`${error.message} ${NO_KEY}`);
        return undefined;
      }
      reason = error.message;
    }
    console.error(`${reason} (attempt ${attempt} of ${KEY_ATTEMPTS})`);
    if (attempt < KEY_ATTEMPTS) await sleep(intervalMs);
  }
  return undefined;
}
