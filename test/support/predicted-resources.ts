/** What the deployment template would deploy, computed by the Bicep compiler without Azure. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runBicep, TEMPLATE } from '../../dev/infra/bicep.ts';
import { root } from '../../dev/stack/root.ts';
import { evaluate } from './arm-expressions.ts';

/** The compiler takes about 5 s of CPU, and a loaded machine has many tests at the same time. */
export const COMPILE_TIMEOUT_MS = 300_000;

/** learn.microsoft.com/azure/role-based-access-control/built-in-roles */
const ROLES: Record<string, string> = {
  '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd': 'Cognitive Services OpenAI User',
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
};

const ID = '00000000-0000-0000-0000-000000000002';
/** What only Azure knows, by the end of its path in a resource. Everything else is an id. */
const AZURE_VALUES = [
  ['.endpoint', 'https://fallback.openai.azure.com/'],
  ['.endpoint.value', 'https://name.openai.azure.com/'],
  ['.hostName', 'name.westeurope.redis.azure.net'],
  [
    '.ConnectionString',
    `InstrumentationKey=${ID};IngestionEndpoint=https://westeurope-1.in.applicationinsights.azure.com/`,
  ],
] as const;

/** A resource as it would be deployed. Values that only Azure knows are expressions in square brackets. */
export interface PredictedResource {
  id: string;
  type: string;
  name: string;
  properties: Record<string, unknown>;
  [field: string]: unknown;
}

/** Returns the resources that the template deploys with these parameters. @throws Error with the compiler's messages. */
export async function predict(
  bicep: string,
  parameters: Record<string, string | number | boolean>,
): Promise<PredictedResource[]> {
  // In the project, because Bicep needs a relative path to the template.
  const folder = join(root, '.data');
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'infra-'));
  try {
    const file = join(work, 'main.bicepparam');
    const lines = Object.entries(parameters).map(([name, value]) => `param ${name} = ${literal(value)}`);
    const template = relative(work, TEMPLATE).replaceAll('\\', '/');
    writeFileSync(file, [`using '${template}'`, ...lines, ''].join('\n'));
    const id = '00000000-0000-0000-0000-000000000000';
    const scope = ['--subscription-id', id, '--tenant-id', id, '--location', 'westeurope'];
    const { problems } = await runBicep(bicep, ['snapshot', file, '--mode', 'overwrite', ...scope]);
    if (problems !== '') throw new Error(problems);
    const snapshot = JSON.parse(readFileSync(join(work, 'main.snapshot.json'), 'utf8')) as {
      predictedResources: PredictedResource[];
    };
    return snapshot.predictedResources;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The resources of a type. */
export const ofType = (resources: PredictedResource[], type: string): PredictedResource[] =>
  resources.filter((resource) => resource.type === type);

/**
 * The settings of the app, with values like those that Azure gives. `callerKeys` is the value of the secure parameter, without
 * which the compiler leaves all settings as one expression.
 */
export function appSettings(resources: PredictedResource[], callerKeys = ''): Record<string, string> {
  const [settings] = resources.filter(({ name }) => name.endsWith('/appsettings'));
  const scope = { parameters: () => callerKeys, variables: () => undefined, reference: () => atPath('') };
  const written = evaluate(settings?.properties, scope) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(written).map(([name, value]) => [name, String(value)]));
}

/** Stands for what Azure gives at a path of a resource, as an object and as a text. */
function atPath(path: string): object {
  const value = AZURE_VALUES.find(([end]) => path.endsWith(end))?.[1] ?? ID;
  return new Proxy(
    {},
    { get: (_, name) => (typeof name === 'symbol' ? () => value : atPath(`${path}.${name}`)) },
  );
}

/** The role assignments, each as "role on resource". */
export const rolesIn = (resources: PredictedResource[]): string[] =>
  ofType(resources, 'Microsoft.Authorization/roleAssignments')
    .map(({ id, properties }) => {
      const role = String(properties['roleDefinitionId']).split('/').at(-1) ?? '';
      const [scope = ''] = id.split('/providers/Microsoft.Authorization/');
      return `${ROLES[role]} on ${scope
        .split('/')
        .slice(-2)
        .join('/')
        .replaceAll(/(?<=[a-z])-?[0-9a-z]{13}$/g, '')}`;
    })
    .toSorted();

const literal = (value: string | number | boolean): string =>
  typeof value === 'string' ? `'${value}'` : String(value);
