/**
 * What the Azure CLI prints. The catalogue has the fields, the nulls and the two kinds of dates that users recorded from
 * `az cognitiveservices model list` in August 2024 and from the API in August 2026; the schema is
 * learn.microsoft.com/rest/api/aiservices/accountmanagement/models/list.
 */
import type { Reply } from './azure-commands.ts';

/** What Azure says of a model. */
export interface Offer {
  name: string;
  version: string;
  kinds?: string[];
  lifecycle?: string;
  retires?: string | null;
  /** The quota of each SKU, in units: used and limit. */
  skus?: Record<string, { used?: number; limit: number; usageName?: string; retires?: string }>;
}

/** A deployment in an account. */
export interface Deployed {
  account: string;
  location: string;
  deployment: string;
  name: string;
  version: string;
  sku: string;
  capacity: number;
  createdAt?: string;
}

/** What there is in a subscription. */
export interface Azure {
  regions: Record<string, Offer[]>;
  /** In the resource group rg-dev, which does not exist without any. */
  deployed?: Deployed[];
  /** What `az` prints to its standard error, instead of answering a command that begins with the key. */
  errors?: Record<string, string>;
}

const usageNameOf = (sku: string, name: string): string => `OpenAI.${sku}.${name}`;

/** The entries of one model, as `az cognitiveservices model list` prints them. */
const entriesOf = ({ name, version, kinds, lifecycle, retires = '2028-03-22', skus = {} }: Offer): object[] =>
  (kinds ?? ['OpenAI', 'AIServices']).map((kind) => ({
    kind,
    model: {
      baseModel: null,
      callRateLimit: null,
      capabilities: { assistants: 'true', chatCompletion: 'true', responses: 'true' },
      deprecation: retires === null ? null : { fineTune: null, inference: `${retires}T00:00:00Z` },
      finetuneCapabilities: null,
      format: 'OpenAI',
      isDefaultVersion: true,
      lifecycleStatus: lifecycle ?? 'GenerallyAvailable',
      maxCapacity: 3,
      name,
      skus: Object.entries(skus).map(([sku, it]) => ({
        capacity: { default: 10, maximum: 1_000_000, minimum: null, step: null },
        deprecationDate: it.retires ? `${it.retires}T09:00:00+09:00` : null,
        name: sku,
        rateLimits: [
          { count: 1, key: 'request', renewalPeriod: 60, rules: null },
          { count: 1000, key: 'token', renewalPeriod: 60, rules: null },
        ],
        usageName: it.usageName ?? usageNameOf(sku, name),
      })),
      source: null,
      systemData: { createdAt: `${version}T00:00:00Z`, createdBy: 'Microsoft', createdByType: 'Application' },
      version,
    },
    skuName: 'S0',
  }));

/** The quotas of a region, as `az cognitiveservices usage list` prints them. */
const usagesOf = (offers: Offer[]): object[] =>
  offers.flatMap(({ name, skus = {} }) =>
    Object.entries(skus).map(([sku, { used = 0, limit, usageName }]) => ({
      currentValue: used,
      limit,
      name: {
        localizedValue: `One Thousand Tokens Per Minute - ${name} - ${sku}`,
        value: usageName ?? usageNameOf(sku, name),
      },
      nextResetTime: null,
      quotaPeriod: null,
      status: null,
      unit: 'Count',
    })),
  );

/** A deployment, as `az cognitiveservices account deployment list` prints it. */
const deploymentOf = ({ deployment, name, version, sku, capacity, createdAt }: Deployed): object => ({
  name: deployment,
  properties: {
    model: { format: 'OpenAI', name, source: null, version },
    provisioningState: 'Succeeded',
    versionUpgradeOption: 'OnceCurrentVersionExpired',
  },
  sku: { capacity, family: null, name: sku, size: null, tier: null },
  systemData: { createdAt: createdAt ?? '2026-10-01T00:00:00Z', createdByType: 'User' },
});

const GROUP = '--resource-group rg-dev ';

/** Exit code 3 and these words: what the Azure CLI gives for a group that does not exist. */
const NO_GROUP: Omit<Reply, 'to'> = {
  stderr:
    "ERROR: (ResourceGroupNotFound) Resource group 'rg-dev' could not be found.\nCode: ResourceGroupNotFound\n",
  code: 3,
};

/** The replies about the models of a subscription; `azd env set` succeeds. */
export function modelReplies({ regions, deployed = [], errors = {} }: Azure): Reply[] {
  const az = 'az cognitiveservices';
  const accounts = new Map(deployed.map(({ account, location }) => [account, { name: account, location }]));
  const tagged = [...accounts.values()].map((it) => ({
    ...it,
    kind: 'OpenAI',
    tags: { 'azd-env-name': 'dev' },
  }));
  return [
    ...Object.entries(errors).map(([command, stderr]) => ({ to: `az ${command}`, stderr, code: 1 })),
    ...Object.entries(regions).flatMap(([location, offers]) => [
      { to: `${az} model list --location ${location} `, stdout: offers.flatMap(entriesOf) },
      { to: `${az} usage list --location ${location} `, stdout: usagesOf(offers) },
    ]),
    { to: `${az} account list ${GROUP}`, ...(accounts.size > 0 ? { stdout: tagged } : NO_GROUP) },
    ...[...accounts.keys()].map((account) => ({
      to: `${az} account deployment list --name ${account} ${GROUP}`,
      stdout: deployed.filter((it) => it.account === account).map(deploymentOf),
    })),
    { to: 'azd env set ' },
  ];
}

/**
 * A role as `az role assignment list` prints it:
 * learn.microsoft.com/azure/role-based-access-control/role-assignments, and `createdOn` as in the outputs of
 * learn.microsoft.com/azure/developer/terraform/ and other tutorials of Microsoft: six digits of a second, and the offset.
 */
export const roleAssignment = (roleDefinitionName: string, ageSeconds: number): object => ({
  condition: null,
  conditionVersion: null,
  createdBy: '11111111-1111-1111-1111-111111111111',
  createdOn: new Date(Date.now() - 1000 * ageSeconds).toISOString().replace('Z', '000+00:00'),
  delegatedManagedIdentityResourceId: null,
  description: null,
  id: '/subscriptions/s/resourceGroups/rg-dev/providers/Microsoft.Authorization/roleAssignments/a',
  name: 'a',
  principalId: 'principal-1',
  principalType: 'ServicePrincipal',
  resourceGroup: 'rg-dev',
  roleDefinitionId: '/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r',
  roleDefinitionName,
  scope: '/subscriptions/s/resourceGroups/rg-dev/providers/Microsoft.Storage/storageAccounts/st1',
  type: 'Microsoft.Authorization/roleAssignments',
});
