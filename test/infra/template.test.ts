/** The deployment template: what it deploys by default, and with every option. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, findBicep } from '../../dev/infra/bicep.ts';
import { root } from '../../dev/stack/root.ts';
import {
  type Environment,
  readAuthLevel,
  readConfig,
  readTrustsUserHeaders,
} from '../../src/lib/config/config.ts';
import { appSettings, ofType, predict, type PredictedResource } from '../support/predicted-resources.ts';

const DEFAULTS = { environmentName: 'dev', location: 'westeurope' };
const OPTIONS = {
  ...DEFAULTS,
  alwaysReadyInstances: 2,
  httpConcurrency: 200,
  appPublicAccess: false,
  existingModelName: 'shared-model',
  existingModelResourceGroup: 'rg-models',
  modelDeploymentName: 'chat',
  fallbackModelLocation: 'swedencentral',
  redisEnabled: true,
  privateNetwork: true,
  corsOrigins: 'https://chat.example.com, https://www.example.com',

  modelSku: 'DataZoneStandard',
  authClientId: '00000000-0000-0000-0000-000000000001',
  alertEmail: 'operator@example.com',
};

/** Settings of the platform and of the Functions host, which the app does not read. */
const NOT_OF_THE_APP = [
  'AzureWebJobsStorage__credential',
  'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID',
  'WEBSITE_AUTH_AAD_ALLOWED_TENANTS',
  'WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES',
];

/**
 * Settings with which a new instance stops the warm worker that the platform keeps ready, and starts another one. The first
 * three: UsePlaceholderChannel in src/WebJobs.Script/Workers/Rpc/WebHostRpcWorkerChannelManager.cs of Azure/azure-functions-host.
 * It also wants a read-only package, which a value 0 of the next one ends. A worker of another folder, program or runtime
 * cannot be one that is ready.
 */
const COLD_WORKER = [
  'languageWorkers__node__arguments',
  'languageWorkers:node:arguments',
  'FUNCTIONS_V2_COMPATIBILITY_MODE',
  'WEBSITE_RUN_FROM_PACKAGE',
  'languageWorkers__node__workerDirectory',
  'languageWorkers__node__defaultExecutablePath',
  'languageWorkers__workersDirectory',
  'FUNCTIONS_WORKER_RUNTIME',
];

/** learn.microsoft.com/azure/role-based-access-control/built-in-roles */
const ROLES: Record<string, string> = {
  '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd': 'Cognitive Services OpenAI User',
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
};

const ID = '00000000-0000-0000-0000-000000000002';
/** What only Azure knows, by the end of the setting's name. Everything else is an id. */
const AZURE_VALUES = [
  ['ENDPOINT', 'https://name.openai.azure.com/'],
  ['FALLBACK_ENDPOINTS', 'https://fallback.openai.azure.com/'],
  ['REDIS_URL', 'rediss://name.westeurope.redis.azure.net:10000'],
  [
    'CONNECTION_STRING',
    `InstrumentationKey=${ID};IngestionEndpoint=https://westeurope-1.in.applicationinsights.azure.com/`,
  ],
  ['AUTHENTICATION_STRING', `ClientId=${ID};Authorization=AAD`],
] as const;

let template = '';
let deployments: Record<'defaults' | 'options', PredictedResource[]>;

beforeAll(async () => {
  const bicep = findBicep();
  // The tests are skipped then.
  if (bicep === undefined) return;
  const [compiled, defaults, options] = await Promise.all([
    compile(bicep),
    predict(bicep, DEFAULTS),
    predict(bicep, OPTIONS),
  ]);
  expect(compiled.problems).toBe('');
  template = compiled.template;
  deployments = { defaults, options };
});

const nameOf = ({ type, name }: PredictedResource): string => `${type} ${name}`;
/** The role assignments, each as "role on resource". */
const roles = (resources: PredictedResource[]): string[] =>
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

/** Names of the settings that the app reads. */
function readNames(): Set<string> {
  const names = new Set<string>();
  const recorder = new Proxy<Environment>(
    {},
    {
      get: (_, name) => {
        names.add(String(name));
        return undefined;
      },
    },
  );
  try {
    readConfig(recorder);
  } catch {
    // Required settings are missing; all have been read nevertheless.
  }
  return names;
}

describe.each(['defaults', 'options'] as const)(
  'the template with its %s',
  { tags: ['bicep', 'long'] },
  (choice) => {
    it('writes settings that the app reads', () => {
      const known = new Set([...readNames(), ...NOT_OF_THE_APP]);
      const written = Object.keys(appSettings(deployments[choice]));
      expect(written.length).toBeGreaterThan(8);
      expect(written.filter((name) => !known.has(name))).toEqual([]);
    });

    it('writes settings with which the app starts', () => {
      const written = Object.entries(appSettings(deployments[choice]));
      const env = Object.fromEntries(
        written.map(([name, value]) => [name, value.replace(/^\[.*\]$/s, replacement(name))]),
      );
      const config = readConfig(env);
      expect(config.warnings).toEqual([]);
      expect(config.model.maxConcurrency).toBe(choice === 'defaults' ? 100 : 200);
      expect(config.model.endpoints.map(({ apiKey }) => apiKey)).toEqual(
        config.model.endpoints.map(() => undefined),
      );
      expect(config.model.endpoints).toHaveLength(choice === 'defaults' ? 1 : 2);
      expect(JSON.stringify(config.cache).includes('redis.azure.net')).toBe(choice === 'options');
      expect(readAuthLevel(env)).toBe(choice === 'defaults' ? 'function' : 'anonymous');
      expect(readTrustsUserHeaders(env)).toBe(choice === 'options');
    });

    it('keeps the warm worker of the platform', () => {
      const written = Object.keys(appSettings(deployments[choice])).map((name) => name.toLowerCase());
      expect(COLD_WORKER.filter((name) => written.includes(name.toLowerCase()))).toEqual([]);
    });

    it('gives all roles to the identity of the app', () => {
      const assignments = ofType(deployments[choice], 'Microsoft.Authorization/roleAssignments');
      const [identity] = ofType(deployments[choice], 'Microsoft.ManagedIdentity/userAssignedIdentities');
      expect(assignments.length).toBeGreaterThan(3);
      for (const { properties } of assignments) {
        expect(properties['principalType']).toBe('ServicePrincipal');
        expect(properties['principalId']).toBe(`[reference('${identity?.id}', '2024-11-30').principalId]`);
      }
    });

    it('accepts no keys', () => {
      const value = (type: string, name: string) =>
        ofType(deployments[choice], type).map((each) => each.properties[name]);
      expect(value('Microsoft.Storage/storageAccounts', 'allowSharedKeyAccess')).toEqual([false]);
      expect(value('Microsoft.CognitiveServices/accounts', 'disableLocalAuth')).toEqual([true]);
      expect(value('Microsoft.Insights/components', 'DisableLocalAuth')).toEqual([true]);
      expect(value('Microsoft.Web/sites/basicPublishingCredentialsPolicies', 'allow')).toEqual([
        false,
        false,
      ]);
      expect(value('Microsoft.Cache/redisEnterprise/databases', 'accessKeysAuthentication')).toEqual(
        choice === 'options' ? ['Disabled'] : [],
      );
    });

    it('requires TLS 1.2, and has no public blobs', () => {
      const [storage] = ofType(deployments[choice], 'Microsoft.Storage/storageAccounts');
      expect(storage?.properties).toMatchObject({
        allowBlobPublicAccess: false,
        minimumTlsVersion: 'TLS1_2',
        supportsHttpsTrafficOnly: true,
      });
      const [app] = ofType(deployments[choice], 'Microsoft.Web/sites');
      expect(app?.properties).toMatchObject({
        httpsOnly: true,
        siteConfig: { minTlsVersion: '1.2', scmMinTlsVersion: '1.2' },
      });
      for (const redis of ofType(deployments[choice], 'Microsoft.Cache/redisEnterprise')) {
        expect(redis.properties).toMatchObject({ minimumTlsVersion: '1.2' });
      }
    });
  },
);

/** A value like the one that Azure gives. */
const replacement = (name: string): string => AZURE_VALUES.find(([end]) => name.endsWith(end))?.[1] ?? ID;

describe('the template', { tags: ['bicep', 'long'] }, () => {
  it('deploys to Flex Consumption with Node 24', () => {
    const [app] = ofType(deployments.defaults, 'Microsoft.Web/sites');
    const [plan] = ofType(deployments.defaults, 'Microsoft.Web/serverfarms');
    expect(plan?.['sku']).toEqual({ name: 'FC1', tier: 'FlexConsumption' });
    expect(app?.['tags']).toEqual({ 'azd-env-name': 'dev', 'azd-service-name': 'api' });
    expect(app?.properties['functionAppConfig']).toMatchObject({
      runtime: { name: 'node', version: '24' },
      deployment: { storage: { authentication: { type: 'UserAssignedIdentity' } } },
      scaleAndConcurrency: {
        alwaysReady: [],
        triggers: { http: { perInstanceConcurrency: 100 } },
      },
    });
  });

  it('gives four roles, each on one resource', () => {
    expect(roles(deployments.defaults)).toEqual([
      'Cognitive Services OpenAI User on accounts/oai',
      'Monitoring Metrics Publisher on components/appi',
      'Storage Blob Data Owner on storageAccounts/st',
      'Storage Table Data Contributor on storageAccounts/st',
    ]);
  });

  it('uses an existing model, with the role given there', () => {
    expect(roles(deployments.options)).toContain('Cognitive Services OpenAI User on accounts/shared-model');
    expect(roles(deployments.options)).toContain('Cognitive Services OpenAI User on accounts/oai-fallback');
    expect(ofType(deployments.options, 'Microsoft.CognitiveServices/accounts')).toMatchObject([
      { location: 'swedencentral' },
    ]);
  });

  it('creates no network and no Redis unless they are chosen', () => {
    const chosen = /Network|Cache/;
    expect(deployments.defaults.map(nameOf).filter((name) => chosen.test(name))).toEqual([]);
    expect(deployments.options.map(nameOf).filter((name) => chosen.test(name)).length).toBeGreaterThan(10);
  });

  it('closes what has a private endpoint', () => {
    const closed = [
      'Storage/storageAccounts',
      'CognitiveServices/accounts',
      'Cache/redisEnterprise',
      'Web/sites',
    ];
    for (const type of closed) {
      const [resource] = ofType(deployments.options, `Microsoft.${type}`);
      expect(resource?.properties['publicNetworkAccess'], type).toBe('Disabled');
    }
    const groups = ofType(deployments.options, 'Microsoft.Network/privateEndpoints').flatMap(
      ({ properties }) =>
        (properties['privateLinkServiceConnections'] as { name: string }[]).map(({ name }) => name),
    );
    expect(groups.toSorted()).toEqual(['account', 'blob', 'redisEnterprise', 'table']);
    const [app] = ofType(deployments.options, 'Microsoft.Web/sites');
    expect(app?.properties['virtualNetworkSubnetId']).toMatch(/\/subnets\/app$/);
  });

  it('reads no keys, and has no secrets in its parameters and outputs', () => {
    expect(template.match(/list(keys|secrets|accountsas|servicesas)\b/gi)).toBeNull();
    expect(template).not.toMatch(/"type": "secure/i);
    const { outputs } = JSON.parse(template) as { outputs: Record<string, unknown> };
    expect(Object.keys(outputs).filter((name) => /key|secret|password|connection/i.test(name))).toEqual([]);
    expect(Object.keys(outputs)).toContain('ASK_URL');
  });

  it('describes every parameter, and azd gives all of them with the same defaults', () => {
    const { parameters } = JSON.parse(template) as {
      parameters: Record<
        string,
        { defaultValue?: string | number | boolean; metadata?: { description?: string } }
      >;
    };
    const file = JSON.parse(readFileSync(join(root, 'infra', 'main.parameters.json'), 'utf8')) as {
      parameters: Record<string, { value: string }>;
    };
    const undescribed = Object.entries(parameters).filter(([, { metadata }]) => !metadata?.description);
    expect(undescribed).toEqual([]);
    const defaults = Object.entries(file.parameters).map(([name, { value }]) => [
      name,
      /^\$\{[A-Z0-9_]+(?:=(.*))?\}$/.exec(value)?.[1],
    ]);
    expect(Object.fromEntries(defaults)).toEqual(
      Object.fromEntries(
        Object.entries(parameters).map(([name, { defaultValue }]) => [
          name,
          defaultValue === undefined ? undefined : String(defaultValue),
        ]),
      ),
    );
  });
});
