/** `npm run preprovision`: what azd runs before it creates anything. It chooses the model, and refuses keys with the sign-in. */
import { parseArgs } from 'node:util';
import { CliError, runCli } from './azd/cli.ts';
import { readDeployed } from './azd/deployed-models.ts';
import { readRegion } from './azd/model-catalogue.ts';
import type { Circumstances } from './azd/model-check.ts';
import { type Choice, choose } from './azd/model-choice.ts';
import { dateOf, readModelList } from './azd/model-list.ts';
import { describeChoice, describeFailure } from './azd/model-report.ts';
import {
  AGAIN,
  readModelRequest,
  templateDefault,
  variablesOf,
  type ModelRequest,
} from './azd/model-request.ts';

/** The help text. */
export const help = `npm run preprovision -- [--date YYYY-MM-DD]

Chooses the model of the deployment: the first of infra/models.json that the region offers, that new customers can deploy,
that does not retire soon, and for which the subscription has quota. It asks Azure with the Azure CLI and sets ASK_MODEL_NAME,
ASK_MODEL_VERSION, ASK_MODEL_SKU and ASK_MODEL_CAPACITY in the azd environment. A model that you set is only checked; one
that is deployed is kept, unless you set ${AGAIN}=true. It refuses ASK_CALLER_KEYS together with ASK_AUTH_CLIENT_ID, as the app does.
azd runs it before each provisioning; by hand: azd hooks run preprovision

  --date   count the days until the retirement from this date instead of today`;

const TWO_KINDS_OF_USERS = `ASK_CALLER_KEYS and ASK_AUTH_CLIENT_ID exclude each other: the app would refuse every question. Turn one of them off:
azd env set ASK_CALLER_KEYS "", or azd env set ASK_AUTH_CLIENT_ID ""`;

const NO_REGION = `The region is not known yet. "azd up" asks for it first; for "azd provision" set it:
azd env set AZURE_LOCATION REGION`;

const NOT_LISTED = `The model could not be chosen, because Azure did not list its models. This needs the Azure CLI, signed in ("az login"), and an
account that may read the models and quotas of the subscription: Reader, or Cognitive Services Usages Reader and Reader of the
resource group. Or name a model yourself:
azd env set ASK_MODEL_NAME=NAME ASK_MODEL_VERSION=VERSION`;

const SUCCESSOR = `To let this hook choose a successor, which is then created beside it: azd env set ${AGAIN} true`;

const ADVICE = `Nothing was created. You can
- put the model into another region: azd env set ASK_MODEL_LOCATION REGION
- ask for less, in thousands of tokens a minute: azd env set ASK_MODEL_CAPACITY 10
- ask for quota: https://aka.ms/oai/stuquotarequest
- name another model, also one that retires sooner: azd env set ASK_MODEL_NAME=NAME ASK_MODEL_VERSION=VERSION ASK_MODEL_SKU=SKU`;

/** Sets the exit code to 1 when no model can be deployed, or settings exclude each other: azd then creates nothing. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { date: { type: 'string' } } });
  if (process.env['ASK_CALLER_KEYS']?.trim() && process.env['ASK_AUTH_CLIENT_ID']?.trim()) {
    fail(TWO_KINDS_OF_USERS);
    return;
  }
  const requested = readModelRequest(process.env);
  if (requested.existing !== undefined && requested.fallback === undefined) {
    console.log(`Model: the existing account ${requested.existing} is used, so there is nothing to choose.`);
    return;
  }
  if (requested.existing === undefined && requested.location === undefined) {
    fail(NO_REGION);
    return;
  }
  const { capacity = 1 } = requested.current;
  if (!Number.isInteger(capacity) || capacity < 1) {
    fail('ASK_MODEL_CAPACITY must be a whole number from 1, in thousands of tokens a minute.');
    return;
  }
  try {
    await chooseModel(requested, dateOf(values.date));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    console.error(error.message);
    // The choice is made; azd itself will say what is wrong with it.
    if (requested.own.name !== undefined && requested.own.version !== undefined) {
      console.error(`WARNING: ${requested.own.name} ${requested.own.version} was not checked.`);
    } else fail(NOT_LISTED);
  }
}

async function chooseModel(requested: ModelRequest, now: Date): Promise<void> {
  const list = readModelList();
  const locations = [...new Set([requested.location, requested.fallback])].filter((it) => it !== undefined);
  const [deployed, ...regions] = await Promise.all([
    readDeployed(`rg-${requested.environment}`, requested.subscription),
    ...locations.map((location) => readRegion(location, requested.subscription)),
  ]);
  const circumstances: Circumstances = { regions, deployed, minimumDays: list.minimumDays, now };
  const choice = choose(requested, list.candidates, templateDefault(), circumstances);
  if (!choice.model) {
    fail(`${titleOf(choice, list.minimumDays)}\n\n${describeFailure(choice.tried)}\n\n${ADVICE}`);
    return;
  }
  console.log(describeChoice(choice, choice.model, regions, now));
  if (choice.by === 'user') return;
  if (choice.by === 'deployed' && choice.tried.some(({ findings }) => findings.length > 0))
    console.log(SUCCESSOR);
  await setVariables(requested, {
    ...variablesOf(choice.model, requested.own),
    ...(requested.again && { [AGAIN]: 'false' }),
    ...(choice.deploymentName && { ASK_MODEL_DEPLOYMENT_NAME: choice.deploymentName }),
  });
}

const titleOf = ({ by }: Choice, days: number): string =>
  by === 'list'
    ? `No model of infra/models.json can be deployed and has ${days} days until it retires:`
    : 'This model cannot be deployed:';

/** Sets what changes in the azd environment, in one call, so that never only a part of them is set. */
async function setVariables(requested: ModelRequest, variables: Record<string, string>): Promise<void> {
  const changed = Object.entries(variables).filter(([name, value]) => process.env[name] !== value);
  if (changed.length === 0) return;
  const pairs = changed.map(([name, value]) => `${name}=${value}`);
  const environment = requested.environment === '' ? [] : ['--environment', requested.environment];
  await runCli('azd', ['env', 'set', ...pairs, ...environment]);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
