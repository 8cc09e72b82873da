/** The model deployments that the environment already has. */
import { z } from 'zod';
import { azJson, CliError } from './cli.ts';
import type { Deployment } from './model-list.ts';

const accounts = z.array(z.object({ name: z.string(), location: z.string() }));
const deployments = z.array(
  z.object({
    name: z.string(),
    sku: z.object({ name: z.string(), capacity: z.number().nullish() }).nullish(),
    properties: z.object({ model: z.object({ name: z.string(), version: z.string().nullish() }) }),
    systemData: z.object({ createdAt: z.string().nullish() }).nullish(),
  }),
);

/** A deployment, with the region of its account. */
export interface DeployedModel extends Deployment {
  deployment: string;
  location: string;
  /** Whether it is in the account of the fallback endpoint. */
  isFallback: boolean;
  createdAt: string;
}

/** Returns the deployments in a resource group; none when the group does not exist. @throws CliError */
export async function readDeployed(group: string, subscription?: string): Promise<DeployedModel[]> {
  const inGroup = ['--resource-group', group];
  let found: z.infer<typeof accounts>;
  try {
    found = await azJson(accounts, ['cognitiveservices', 'account', 'list', ...inGroup], subscription);
  } catch (error) {
    if (error instanceof CliError && error.details.includes('ResourceGroupNotFound')) return [];
    throw error;
  }
  // infra/main.bicep names the accounts.
  const own = found.filter(({ name }) => name.startsWith('oai-'));
  const lists = await Promise.all(
    own.map(async ({ name, location }) => {
      const args = ['cognitiveservices', 'account', 'deployment', 'list', '--name', name, ...inGroup];
      const list = await azJson(deployments, args, subscription);
      return list.map(({ name: deployment, sku, properties: { model }, systemData }) => ({
        deployment,
        location,
        isFallback: name.startsWith('oai-fallback-'),
        name: model.name,
        version: model.version ?? '',
        sku: sku?.name ?? '',
        capacity: sku?.capacity ?? 0,
        createdAt: systemData?.createdAt ?? '',
      }));
    }),
  );
  return lists.flat();
}
