/** What the deployment template would deploy, computed by the Bicep compiler without Azure. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runBicep, TEMPLATE } from '../../dev/infra/bicep.ts';
import { root } from '../../dev/stack/root.ts';

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

/** The settings of the app. */
export function appSettings(resources: PredictedResource[]): Record<string, string> {
  const [settings] = resources.filter(({ name }) => name.endsWith('/appsettings'));
  return settings?.properties as Record<string, string>;
}

const literal = (value: string | number | boolean): string =>
  typeof value === 'string' ? `'${value}'` : String(value);
