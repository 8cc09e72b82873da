/** The deployment template: what it deploys by default, and with every option. */
import { beforeAll, describe, expect, it } from 'vitest';
import { ASSUMED } from '../../dev/cost/month.ts';
import { findBicep } from '../../dev/infra/bicep.ts';
import { readAuthLevel, readUsersBy } from '../../src/lib/config/access-config.ts';
import { type Environment, readConfig } from '../../src/lib/config/config.ts';
import { parametersFor } from '../../src/lib/model/parameters.ts';
import {
  appSettings,
  COMPILE_TIMEOUT_MS,
  ofType,
  predict,
  type PredictedResource,
  rolesIn,
} from '../support/predicted-resources.ts';

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
  updateStrategy: 'RollingUpdate',
  zoneRedundant: true,
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

let deployments: Record<'defaults' | 'options', PredictedResource[]>;

beforeAll(async () => {
  const bicep = findBicep();
  // The tests are skipped then.
  if (bicep === undefined) return;
  const [defaults, options] = await Promise.all([predict(bicep, DEFAULTS), predict(bicep, OPTIONS)]);
  deployments = { defaults, options };
}, COMPILE_TIMEOUT_MS);

const nameOf = ({ type, name }: PredictedResource): string => `${type} ${name}`;
const siteOf = (choice: 'defaults' | 'options'): PredictedResource | undefined =>
  ofType(deployments[choice], 'Microsoft.Web/sites')[0];

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
      const env = appSettings(deployments[choice]);
      const config = readConfig(env);
      expect(config.warnings).toEqual([]);
      expect(config.model.maxConcurrency).toBe(choice === 'defaults' ? 100 : 200);
      expect(config.model.endpoints.map(({ apiKey }) => apiKey)).toEqual(
        config.model.endpoints.map(() => undefined),
      );
      expect(config.model.endpoints).toHaveLength(choice === 'defaults' ? 1 : 2);
      expect(JSON.stringify(config.cache).includes('redis.azure.net')).toBe(choice === 'options');
      expect(readAuthLevel(env)).toBe(choice === 'defaults' ? 'function' : 'anonymous');
      expect(readUsersBy(env)).toBe(choice === 'options' ? 'sign-in' : 'nobody');
    });

    it('gives the app addresses at which prompts of a session share the prompt cache of the model', () => {
      const { model } = readConfig(appSettings(deployments[choice]));
      expect(model.endpoints[0].url).toBe('https://name.openai.azure.com/openai/v1');
      const sent = model.endpoints.map((endpoint) => parametersFor(model, endpoint));
      expect(sent.filter(({ promptCacheKey }) => promptCacheKey === false)).toEqual([]);
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
    expect(rolesIn(deployments.defaults)).toEqual([
      'Cognitive Services OpenAI User on accounts/oai',
      'Monitoring Metrics Publisher on components/appi',
      'Storage Blob Data Owner on storageAccounts/st',
      'Storage Table Data Contributor on storageAccounts/st',
    ]);
  });

  it('uses an existing model, with the role given there', () => {
    expect(rolesIn(deployments.options)).toContain('Cognitive Services OpenAI User on accounts/shared-model');
    expect(rolesIn(deployments.options)).toContain('Cognitive Services OpenAI User on accounts/oai-fallback');
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

  it('signs users in when there is a client id, and turns that off without one', () => {
    const auth = (choice: 'defaults' | 'options') =>
      deployments[choice].find(({ name }) => name.endsWith('/authsettingsV2'))?.properties;
    expect(auth('defaults')).toMatchObject({
      platform: { enabled: false },
      globalValidation: { requireAuthentication: false },
      identityProviders: {},
    });
    expect(auth('options')).toMatchObject({
      platform: { enabled: true },
      globalValidation: {
        requireAuthentication: true,
        unauthenticatedClientAction: 'Return401',
        excludedPaths: ['/', '/assets/*', '/health'],
      },
    });
    const { authClientId } = OPTIONS;
    expect(appSettings(deployments.options)).toMatchObject({
      WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: `api://${authClientId}/user_impersonation`,
      TRUST_USER_HEADERS: 'true',
    });
  });

  it('knows callers by their keys when it has them', async () => {
    const callerKeys = `shop=${'0f'.repeat(32)}`;
    const env = appSettings(await predict(findBicep() ?? '', { ...DEFAULTS, callerKeys }), callerKeys);
    expect(readAuthLevel(env)).toBe('anonymous');
    expect(readConfig(env).users).toMatchObject({ by: 'keys', keys: [{ name: 'shop' }] });
  });

  it('sets CORS, rolling updates and zone redundancy as they are chosen', () => {
    expect(siteOf('defaults')?.properties).toMatchObject({ siteConfig: { cors: { allowedOrigins: [] } } });
    expect(siteOf('defaults')?.properties['functionAppConfig']).toMatchObject({ siteUpdateStrategy: null });
    expect(siteOf('options')?.properties).toMatchObject({
      siteConfig: { cors: { allowedOrigins: ['https://chat.example.com', 'https://www.example.com'] } },
      functionAppConfig: { siteUpdateStrategy: { type: 'RollingUpdate' } },
    });
    for (const [choice, zones] of [['defaults', false] as const, ['options', true] as const]) {
      const [plan] = ofType(deployments[choice], 'Microsoft.Web/serverfarms');
      const [storage] = ofType(deployments[choice], 'Microsoft.Storage/storageAccounts');
      expect(plan?.properties['zoneRedundant']).toBe(zones);
      expect(storage?.['sku']).toEqual({ name: zones ? 'Standard_ZRS' : 'Standard_LRS' });
    }
  });

  it('alerts on what is not sampled, and on the retirement of the model', () => {
    const rules = ofType(deployments.defaults, 'Microsoft.Insights/scheduledQueryRules');
    expect(rules.map(({ name }) => name).toSorted()).toEqual([
      'ask-breaker-open',
      'ask-failure-rate',
      'ask-history-not-saved',
      'ask-model-429',
      'ask-model-retires',
      'ask-p95',
    ]);
    expect(ofType(deployments.defaults, 'Microsoft.Insights/activityLogAlerts')).toHaveLength(1);
    // Each of the first costs something: docs/cost.md.
    expect(rules).toHaveLength(ASSUMED.alerts);
  });
});
