/** The deployment template: options of the app, the sign-in of users, and the alerts. */
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, findBicep } from '../../dev/infra/bicep.ts';
import { appSettings, ofType, predict, type PredictedResource } from '../support/predicted-resources.ts';

const DEFAULTS = { environmentName: 'dev', location: 'westeurope' };
const OPTIONS = {
  ...DEFAULTS,
  corsOrigins: 'https://chat.example.com, https://www.example.com',
  updateStrategy: 'RollingUpdate',
  zoneRedundant: true,
  modelSku: 'DataZoneStandard',
  authClientId: '00000000-0000-0000-0000-000000000001',
};

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
  template = compiled.template;
  deployments = { defaults, options };
});

const siteOf = (choice: 'defaults' | 'options'): PredictedResource | undefined =>
  ofType(deployments[choice], 'Microsoft.Web/sites')[0];

describe('the template', { tags: ['bicep', 'long'] }, () => {
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

  it('sets no state of FTP, which Flex Consumption refuses', () => {
    // github.com/microsoft/azure-pipelines-tasks/issues/21032
    expect(template).not.toContain('ftpsState');
  });

  it('offers azd the regions that have the quota of the default model', () => {
    const { parameters } = JSON.parse(template) as {
      parameters: Record<string, { defaultValue?: unknown; metadata?: { azd?: { usageName?: string[] } } }>;
    };
    const value = (name: string) => String(parameters[name]?.defaultValue);
    const usage = `OpenAI.${value('modelSku')}.${value('modelName')}, ${value('modelCapacity')}`;
    expect(parameters['modelLocation']?.metadata?.azd?.usageName).toEqual([usage]);
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
  });
});
