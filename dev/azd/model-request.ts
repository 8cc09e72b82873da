/** What the azd environment says about the model: what its user set, and what the hook set before. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../stack/root.ts';
import type { Deployment } from './model-list.ts';

/** The parameters of a deployment, as the ends of their variables: ASK_MODEL_NAME and so on. */
const FIELDS = ['NAME', 'VERSION', 'SKU', 'CAPACITY'] as const;
type Field = (typeof FIELDS)[number];

/** The values that the hook has set itself. Other values are those of the user. */
const MARK = 'ASK_MODEL_CHOSEN';
/** With `true` the hook chooses again, also when a model is deployed. Then it sets `false`. */
export const AGAIN = 'ASK_MODEL_CHOOSE_AGAIN';

export interface ModelRequest {
  subscription: string | undefined;
  environment: string;
  /** Region of the model and of its fallback; undefined when no account is created there. */
  location: string | undefined;
  fallback: string | undefined;
  /** Name of an existing account, which replaces the template's. */
  existing: string | undefined;
  deploymentName: string | undefined;
  /** The values of the user. */
  own: Partial<Deployment>;
  /** The values of the environment, whoever set them. */
  current: Partial<Deployment>;
  /** Whether a deployed model may be replaced. */
  again: boolean;
}

/** Reads the variables that azd gives to its hooks. */
export function readModelRequest(env: NodeJS.ProcessEnv): ModelRequest {
  const value = (name: string): string | undefined => env[name]?.trim() || undefined;
  const region = (name: string): string | undefined => value(name)?.replaceAll(' ', '').toLowerCase();
  const mark = (value(MARK) ?? '').split(',');
  const marked = Object.fromEntries(mark.map((entry) => entry.split(/:(.*)/s)));
  const all = FIELDS.map((field) => [field, value(`ASK_MODEL_${field}`)] as const);
  const existing = value('ASK_EXISTING_MODEL_NAME');
  return {
    subscription: value('AZURE_SUBSCRIPTION_ID'),
    environment: value('AZURE_ENV_NAME') ?? '',
    location: existing === undefined ? (region('ASK_MODEL_LOCATION') ?? region('AZURE_LOCATION')) : undefined,
    fallback: region('ASK_FALLBACK_MODEL_LOCATION'),
    existing,
    deploymentName: value('ASK_MODEL_DEPLOYMENT_NAME'),
    own: deploymentOf(all.filter(([field, text]) => text !== marked[field])),
    current: deploymentOf(all),
    again: value(AGAIN) === 'true',
  };
}

function deploymentOf(values: (readonly [Field, string | undefined])[]): Partial<Deployment> {
  const set = values.filter((it): it is [Field, string] => it[1] !== undefined);
  return Object.fromEntries(
    set.map(([field, text]) => [field.toLowerCase(), field === 'CAPACITY' ? Number(text) : text]),
  );
}

/** Returns the variables that give this model to the template, with the mark of the values that are not the user's. */
export function variablesOf(model: Deployment, own: Partial<Deployment>): Record<string, string> {
  const values = FIELDS.map((field) => [field, String(model[keyOf(field)])] as const);
  const mark = values.filter(([field]) => own[keyOf(field)] === undefined).map((pair) => pair.join(':'));
  return {
    ...Object.fromEntries(values.map(([field, text]) => [`ASK_MODEL_${field}`, text])),
    [MARK]: mark.join(','),
  };
}

const keyOf = (field: Field): keyof Deployment => field.toLowerCase() as keyof Deployment;

/** Returns the deployment that the template makes when the environment says nothing. */
export function templateDefault(): Deployment {
  const file = JSON.parse(readFileSync(join(root, 'infra', 'main.parameters.json'), 'utf8')) as {
    parameters: Record<string, { value: string }>;
  };
  const defaultOf = (name: string): string => /=(.*)\}$/.exec(file.parameters[name]?.value ?? '')?.[1] ?? '';
  return {
    name: defaultOf('modelName'),
    version: defaultOf('modelVersion'),
    sku: defaultOf('modelSku'),
    capacity: Number(defaultOf('modelCapacity')),
  };
}
