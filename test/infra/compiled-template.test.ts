/** The compiled template, as the deployment engine reads it. What it deploys: template.test.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, findBicep } from '../../dev/infra/bicep.ts';
import { root } from '../../dev/stack/root.ts';
import { type ArmTemplate, type Deployment, existingOf, readDeployment } from '../support/arm-template.ts';
import { COMPILE_TIMEOUT_MS } from '../support/predicted-resources.ts';

/** The parameters on which resources and their names depend, with values for each way that they can go. */
const CHOICES = {
  existingModelName: ['', 'shared-model'],
  existingModelResourceGroup: ['', 'rg-models'],
  fallbackModelLocation: ['', 'swedencentral'],
  redisEnabled: [false, true],
  privateNetwork: [false, true],
  authClientId: ['', '00000000-0000-0000-0000-000000000001'],
  alertsEnabled: [false, true],
  alertEmail: ['', 'operator@example.com'],
};
type Choice = { [Name in keyof typeof CHOICES]: (typeof CHOICES)[Name][number] };

const FIXED = { environmentName: 'dev', location: 'westeurope' };

const combinations = Object.entries(CHOICES).reduce<Record<string, unknown>[]>(
  (all, [name, values]) => all.flatMap((each) => values.map((value) => ({ ...each, [name]: value }))),
  [{}],
) as Choice[];

const source = (name: string): string => readFileSync(join(root, 'infra', `${name}.bicep`), 'utf8');

const always = (): boolean => true;

/** Every `existing` resource of the modules: when it is looked up, and why it is there. */
const EXISTING: Record<string, { when: (choice: Choice) => boolean; why: string }> = {
  'modelRole.identity': { when: always, why: 'gets the role; the model may be in another resource group' },
  'modelRole.account': { when: always, why: 'the model on which the role is; it may be one that exists' },
  'fallbackRole.identity': { when: hasFallback, why: 'gets the role' },
  'fallbackRole.account': { when: hasFallback, why: 'the fallback on which the role is' },
  'network.network::endpointSubnet': {
    when: ({ privateNetwork }) => privateNetwork,
    why: 'a subnet of the network of the same module, for the private endpoints',
  },
  'app.identity': { when: always, why: 'the app and its package are read with it' },
  'app.storage': { when: always, why: 'the address of the package' },
  'app.subnet': { when: ({ privateNetwork }) => privateNetwork, why: 'the app runs in it' },
  'appSettings.identity': { when: always, why: 'its client id is a setting' },
  'appSettings.insights': { when: always, why: 'its connection string is a setting' },
  'appSettings.fallback': { when: hasFallback, why: 'its endpoint is a setting' },
  'appSettings.redis': { when: ({ redisEnabled }) => redisEnabled, why: 'its host name is a setting' },
  'appSettings.app': { when: always, why: 'the settings are its children' },
  'alerts.insights': { when: ({ alertsEnabled }) => alertsEnabled, why: 'the queries run in it' },
};

/** Of modules without types of their own, as FILE: the engine looks nothing up there but what an expression reads. */
const BY_ID = {
  auth: ['app: its child is set'],
  roles: ['identity: gets the roles', 'storage: has two of them', 'insights: has one of them'],
  workbook: ['insights: the queries run in it'],
};

function hasFallback({ fallbackModelLocation }: Choice): boolean {
  return fallbackModelLocation !== '';
}

let text = '';
let template: ArmTemplate & { outputs: Record<string, unknown> };
beforeAll(async () => {
  const bicep = findBicep();
  // The tests are skipped then.
  if (bicep === undefined) return;
  const compiled = await compile(bicep);
  expect(compiled.problems).toBe('');
  text = compiled.template;
  template = JSON.parse(text) as typeof template;
}, COMPILE_TIMEOUT_MS);

const deploymentOf = (choice: Choice): Deployment => readDeployment(template, { ...FIXED, ...choice });

/** The account that the user says exists. */
const ownAccount = ({ existingModelName, existingModelResourceGroup }: Choice): string =>
  `${existingModelResourceGroup || 'rg-dev'}/Microsoft.CognitiveServices/accounts/${existingModelName}`;

/**
 * No deployment looks up a resource that it may lack. In a template with types of its own, the engine gets every `existing`
 * resource whose condition holds, and fails with a 404: github.com/Azure/bicep/issues/15447, /15580 and /16254
 */
describe('an existing resource', { tags: ['bicep', 'long'] }, () => {
  it('is in the list with its reason', () => {
    expect(existingOf(template).toSorted()).toEqual(Object.keys(EXISTING).toSorted());
    for (const [module, { properties }] of Object.entries(template.resources)) {
      if (!Array.isArray(properties?.template?.resources)) continue;
      const [, file = ''] = new RegExp(`module ${module} 'modules/(.+)\\.bicep'`).exec(source('main')) ?? [];
      const existing = [...source(`modules/${file}`).matchAll(/^resource (\w+) '.+' existing/gm)];
      const listed = (BY_ID as Record<string, string[]>)[file] ?? [];
      expect(existing.map(([, symbol]) => symbol)).toEqual(listed.map((line) => line.split(':')[0]));
    }
  });

  it('depends on no parameter whose values are not combined here', () => {
    const read = new Set(combinations.flatMap((choice) => [...deploymentOf(choice).read]));
    // The last two name a deployment of the model, which is never looked up.
    const known = [...Object.keys(CHOICES), ...Object.keys(FIXED), 'modelName', 'modelDeploymentName'];
    expect([...read].filter((name) => !known.includes(name))).toEqual([]);
    expect(combinations).toHaveLength(256);
  });

  it('is looked up in no combination that has no use for it', () => {
    for (const choice of combinations) {
      const expected = Object.entries(EXISTING)
        .filter(([, { when }]) => when(choice))
        .map(([name]) => name);
      const lookups = deploymentOf(choice).lookups.map(({ module, symbol }) => `${module}.${symbol}`);
      expect(lookups.toSorted(), JSON.stringify(choice)).toEqual(expected.toSorted());
    }
  });

  it('has been created before it is looked up, in every combination', () => {
    for (const choice of combinations) {
      const { lookups, created, before } = deploymentOf(choice);
      const missing = lookups.filter(({ module, id }) => {
        const creator = created.get(id);
        if (creator === undefined) return choice.existingModelName === '' || id !== ownAccount(choice);
        return creator !== module && !before(module).has(creator);
      });
      expect(missing, JSON.stringify(choice)).toEqual([]);
    }
  });
});

describe('the sign-in', { tags: ['bicep', 'long'] }, () => {
  it('is on before the app requires no key, and off after it requires one again', () => {
    for (const choice of combinations) {
      const { modules, before } = deploymentOf(choice);
      const order = (['authOn', 'authOff'] as const).filter((each) => modules.includes(each));
      expect(order).toEqual(choice.authClientId === '' ? ['authOff'] : ['authOn']);
      if (choice.authClientId === '') expect(before('authOff').has('appSettings')).toBe(true);
      else expect(before('appSettings').has('authOn')).toBe(true);
    }
  });
});

describe('the compiled template', { tags: ['bicep', 'long'] }, () => {
  it('reads no keys, and has no secrets in its parameters and outputs but the digests of the keys of callers', () => {
    expect(text.match(/list(keys|secrets|accountsas|servicesas)\b/gi)).toBeNull();
    const secure = [...text.matchAll(/"(\w+)": \{\s*"type": "secure/gi)].map(([, name]) => name);
    expect(new Set(secure)).toEqual(new Set(['callerKeys']));
    const outputs = Object.keys(template.outputs);
    expect(outputs.filter((name) => /key|secret|password|connection/i.test(name))).toEqual([]);
    expect(outputs).toContain('ASK_URL');
  });

  it('sets no state of FTP, which Flex Consumption refuses', () => {
    // github.com/microsoft/azure-pipelines-tasks/issues/21032
    expect(text).not.toContain('ftpsState');
  });

  it('describes every parameter, and azd gives all of them with the same defaults', () => {
    const parameters = Object.entries(template.parameters ?? {});
    expect(parameters.filter(([, { metadata }]) => !metadata?.description)).toEqual([]);
    const file = JSON.parse(readFileSync(join(root, 'infra', 'main.parameters.json'), 'utf8')) as {
      parameters: Record<string, { value: string }>;
    };
    const given = Object.entries(file.parameters).map(([name, { value }]) => [
      name,
      /^\$\{[A-Z0-9_]+(?:=(.*))?\}$/.exec(value)?.[1],
    ]);
    const defaults = parameters.map(([name, { defaultValue }]) => [
      name,
      defaultValue === undefined ? undefined : JSON.stringify(defaultValue).replaceAll('"', ''),
    ]);
    expect(Object.fromEntries(given)).toEqual(Object.fromEntries(defaults));
  });

  it('lets azd ask for regions, without the quota of one model: the hook chooses among several', () => {
    const azd = Object.entries(template.parameters ?? {}).flatMap(([name, { metadata }]) =>
      metadata?.azd ? [[name, metadata.azd]] : [],
    );
    const region = { type: 'location' };
    expect(Object.fromEntries(azd)).toEqual({
      location: region,
      modelLocation: region,
      fallbackModelLocation: region,
    });
  });
});
