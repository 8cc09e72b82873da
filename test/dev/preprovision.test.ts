/** npm run preprovision: which model a deployment gets, by what Azure offers, and what the user and Azure already have. */
import { describe, expect, it } from 'vitest';
import { AzureCommands, type Outcome } from '../support/azure-commands.ts';
import { type Azure, type Deployed, modelReplies, type Offer } from '../support/azure-replies.ts';
import { sampled } from '../support/effort.ts';

const QUOTA = { GlobalStandard: { limit: 1000 }, DataZoneStandard: { limit: 333 } };
const LUNA_6: Offer = { name: 'gpt-6-luna', version: '2026-09-22', skus: QUOTA };
const LUNA_56: Offer = { name: 'gpt-5.6-luna', version: '2026-07-09', retires: '2028-01-11', skus: QUOTA };
const MINI_5: Offer = { name: 'gpt-5-mini', version: '2025-08-07', retires: '2027-02-09', skus: QUOTA };
const OFFERS = [LUNA_6, LUNA_56, MINI_5];

const DEPLOYED: Deployed = {
  account: 'oai-abc',
  location: 'westeurope',
  deployment: 'gpt-5.6-luna',
  name: 'gpt-5.6-luna',
  version: '2026-07-09',
  sku: 'GlobalStandard',
  capacity: 50,
};

/** What the hook leaves in the environment after it chose gpt-5.6-luna. */
const CHOSEN = {
  ASK_MODEL_NAME: 'gpt-5.6-luna',
  ASK_MODEL_VERSION: '2026-07-09',
  ASK_MODEL_SKU: 'GlobalStandard',
  ASK_MODEL_CAPACITY: '50',
  ASK_MODEL_CHOSEN: 'NAME:gpt-5.6-luna,VERSION:2026-07-09,SKU:GlobalStandard,CAPACITY:50',
};
const NAMED = { ASK_MODEL_NAME: 'gpt-5-mini', ASK_MODEL_VERSION: '2025-08-07' };
const FALLBACK = { ASK_FALLBACK_MODEL_LOCATION: 'swedencentral' };
const EXISTING = { ASK_EXISTING_MODEL_NAME: 'shared-model' };

/** Runs the hook with the variables that azd gives it, on 30 November 2026. `set` is what `azd env set` was told. */
async function preprovision(
  azure: Partial<Azure>,
  env: Record<string, string> = {},
  date = '2026-11-30',
): Promise<Outcome & { set: Record<string, string>; calls: string[] }> {
  using commands = new AzureCommands(...modelReplies({ regions: { westeurope: OFFERS }, ...azure }));
  const azd = { AZURE_LOCATION: 'westeurope', AZURE_SUBSCRIPTION_ID: 'sub-1' };
  const outcome = await commands.run(['preprovision', '--date', date], { ...azd, ...env });
  return { ...outcome, set: commands.variables, calls: commands.lines };
}

/** Runs the hook in a region with these models, and returns the name, version and SKU that it chose. */
async function chosen(offers: Offer[], env?: Record<string, string>): Promise<string | undefined> {
  const { set } = await preprovision({ regions: { westeurope: offers } }, env);
  return set['ASK_MODEL_CHOSEN'] && `${set['ASK_MODEL_NAME']} ${set['ASK_MODEL_SKU']}`;
}

it('refuses keys of callers together with the sign-in, before it asks Azure', async () => {
  const both = { ASK_CALLER_KEYS: 'shop=0', ASK_AUTH_CLIENT_ID: 'client-id' };
  const { code, output, calls } = await preprovision({}, both);
  expect(code).toBe(1);
  expect(output).toContain('ASK_CALLER_KEYS and ASK_AUTH_CLIENT_ID exclude each other');
  expect(output).toContain('azd env set ASK_CALLER_KEYS ""');
  expect(calls).toEqual([]);
  expect((await preprovision({}, { ...both, ASK_AUTH_CLIENT_ID: '' })).code).toBe(0);
});

describe('without a choice of the user', () => {
  it('takes the first model of the list, and marks it as its own', async () => {
    const { code, output, set, calls } = await preprovision({});
    expect(output).toContain('Model: gpt-6-luna 2026-09-22 (GlobalStandard), the first of infra/models.json');
    expect(output).toContain(
      '50,000 tokens and 50 requests a minute, in westeurope, until 2028-03-22 (478 days)',
    );
    expect(code).toBe(0);
    expect(set).toEqual({
      ASK_MODEL_NAME: 'gpt-6-luna',
      ASK_MODEL_VERSION: '2026-09-22',
      ASK_MODEL_SKU: 'GlobalStandard',
      ASK_MODEL_CAPACITY: '50',
      ASK_MODEL_CHOSEN: 'NAME:gpt-6-luna,VERSION:2026-09-22,SKU:GlobalStandard,CAPACITY:50',
    });
    // In the environment that is provisioned, which need not be the default one, and in its subscription.
    expect(calls.at(-1)).toMatch(/^azd env set .* --environment dev$/);
    expect(
      calls.filter((call) => call.startsWith('az ')).every((call) => call.includes('--subscription sub-1')),
    ).toBe(true);
  });

  it.each(
    sampled<[string, Offer]>(
      [
        ['is not offered', { ...LUNA_6, name: 'gpt-6-sol' }],
        ['has another version', { ...LUNA_6, version: '2027-01-01' }],
        ['is for another kind of account', { ...LUNA_6, kinds: ['AIServices'] }],
        ['is closed to new customers', { ...LUNA_6, lifecycle: 'Deprecating' }],
        ['is a preview', { ...LUNA_6, lifecycle: 'Preview' }],
        ['retires in 179 days', { ...LUNA_6, retires: '2027-05-28' }],
        ['has no date of its retirement', { ...LUNA_6, retires: null }],
        [
          'ends sooner in this SKU',
          { ...LUNA_6, skus: { GlobalStandard: { limit: 1000, retires: '2027-02-01' } } },
        ],
        ['has no quota left', { ...LUNA_6, skus: { GlobalStandard: { used: 960, limit: 1000 } } }],
      ],
      2,
    ),
  )('takes the next one when the first %s', async (_, first) => {
    expect(await chosen([first, LUNA_56])).toBe('gpt-5.6-luna GlobalStandard');
  });

  it(
    'takes a model that has exactly the days and the quota that are needed',
    { tags: ['long'] },
    async () => {
      const skus = { GlobalStandard: { used: 950, limit: 1000 } };
      expect(await chosen([{ ...LUNA_6, retires: '2027-05-29', skus }])).toBe('gpt-6-luna GlobalStandard');
    },
  );

  it('reads the name of the quota from the catalogue, which does not follow the name of the model', async () => {
    const skus = { GlobalStandard: { limit: 1000, usageName: 'OpenAI.GlobalStandard.gpt6Luna' } };
    expect(await chosen([{ ...LUNA_6, skus }])).toBe('gpt-6-luna GlobalStandard');
  });

  it('takes a data zone when there is no global quota', async () => {
    const skus = { ...QUOTA, GlobalStandard: { limit: 0 } };
    expect(
      await chosen([
        { ...LUNA_6, skus },
        { ...LUNA_56, skus },
      ]),
    ).toBe('gpt-6-luna DataZoneStandard');
  });

  it('prints what it tried and why not when nothing fits, and sets nothing', async () => {
    const none = { GlobalStandard: { used: 990, limit: 1000 } };
    const regions = {
      westeurope: [
        { ...LUNA_6, lifecycle: 'Deprecating' },
        { ...LUNA_56, skus: none },
      ],
    };
    const { code, output, set } = await preprovision({ regions });
    expect(code).toBe(1);
    expect(set).toEqual({});
    expect(output).toMatch(
      /gpt-6-luna +2026-09-22 +GlobalStandard +westeurope +it is deprecated: closed to new/,
    );
    expect(output).toContain(
      'quota: 50 needed, 10 left (OpenAI.GlobalStandard.gpt-5.6-luna: 990 of 1000 used)',
    );
    expect(output).toMatch(/gpt-5.6-luna .* not offered as DataZoneStandard, but as GlobalStandard/);
    expect(output).toMatch(/gpt-5.4-mini .* not offered in this region/);
    expect(output).toContain('azd env set ASK_MODEL_LOCATION REGION');
  });
});

describe('a choice of the user', () => {
  it('is checked and not changed', async () => {
    const env = { ASK_MODEL_NAME: 'gpt-5.6-luna', ASK_MODEL_VERSION: '2026-07-09' };
    const { code, output, set } = await preprovision({}, env);
    expect(output).toContain('Model: gpt-5.6-luna 2026-07-09 (GlobalStandard), as your settings name it');
    expect([code, set]).toEqual([0, {}]);
  });

  it('that retires soon is taken with a warning', async () => {
    const { code, output, set } = await preprovision({}, NAMED);
    expect(output).toContain('WARNING: gpt-5-mini in westeurope: retires on 2027-02-09, in 71 days');
    expect([code, set]).toEqual([0, {}]);
  });

  it('that cannot be deployed is refused, with what is offered', { tags: ['long'] }, async () => {
    const { code, output } = await preprovision({}, { ...NAMED, ASK_MODEL_VERSION: '2099-01-01' });
    expect(output).toContain('this version is not offered, but 2025-08-07');
    expect(code).toBe(1);
  });

  it('that is retired is refused', { tags: ['long'] }, async () => {
    const regions = { westeurope: [{ ...MINI_5, lifecycle: 'Deprecated' }] };
    const { code, output } = await preprovision({ regions }, NAMED);
    expect(output).toContain('it is retired');
    expect(code).toBe(1);
  });

  it('after one of the hook needs its own version', async () => {
    const { code, output } = await preprovision({}, { ...CHOSEN, ASK_MODEL_NAME: 'gpt-6-luna' });
    expect(output).toContain('this version is not offered, but 2026-09-22');
    expect(code).toBe(1);
  });

  it('of the SKU and the capacity only leaves the model to the hook, and stays the user’s', async () => {
    const env = { ASK_MODEL_SKU: 'DataZoneStandard', ASK_MODEL_CAPACITY: '200' };
    const { set } = await preprovision({}, env);
    expect(set).toEqual({
      ASK_MODEL_NAME: 'gpt-6-luna',
      ASK_MODEL_VERSION: '2026-09-22',
      ASK_MODEL_CHOSEN: 'NAME:gpt-6-luna,VERSION:2026-09-22',
    });
  });

  it('with a capacity that is no number is refused before Azure is asked', { tags: ['long'] }, async () => {
    const { code, output, calls } = await preprovision({}, { ASK_MODEL_CAPACITY: '50k' });
    expect(output).toContain('ASK_MODEL_CAPACITY must be a whole number');
    expect([code, calls]).toEqual([1, []]);
  });
});

describe('a deployed model', () => {
  it('that the hook chose is kept, though an earlier one of the list fits now and its quota is used up', async () => {
    const used = { GlobalStandard: { used: 50, limit: 50 } };
    const azure = { regions: { westeurope: [LUNA_6, { ...LUNA_56, skus: used }] }, deployed: [DEPLOYED] };
    const { code, output, set } = await preprovision(azure, CHOSEN);
    expect(output).toContain(
      'Model: gpt-5.6-luna 2026-07-09 (GlobalStandard), which is deployed, and is kept',
    );
    expect(output).not.toContain('WARNING');
    expect([code, set]).toEqual([0, {}]);
  });

  it('that has no longer its time is kept with a warning', async () => {
    const { code, output, set } = await preprovision({ deployed: [DEPLOYED] }, CHOSEN, '2027-11-30');
    expect(output).toContain('WARNING: gpt-5.6-luna in westeurope: retires on 2028-01-11, in 42 days');
    expect(output).toContain('azd env set ASK_MODEL_CHOOSE_AGAIN true');
    expect([code, set]).toEqual([0, {}]);
  });

  it('is kept where the environment is new, as in a workflow', async () => {
    const older = { ...DEPLOYED, ...MINI_5, deployment: 'gpt-5-mini', createdAt: '2026-01-01T00:00:00Z' };
    const { code, set } = await preprovision({ deployed: [older, DEPLOYED] });
    expect(set).toEqual(CHOSEN);
    expect(code).toBe(0);
  });

  it('is replaced when the user asks for it', async () => {
    const env = { ...CHOSEN, ASK_MODEL_CHOOSE_AGAIN: 'true' };
    const { set } = await preprovision({ deployed: [DEPLOYED] }, env);
    expect(set).toEqual({
      ASK_MODEL_NAME: 'gpt-6-luna',
      ASK_MODEL_VERSION: '2026-09-22',
      ASK_MODEL_CHOSEN: 'NAME:gpt-6-luna,VERSION:2026-09-22,SKU:GlobalStandard,CAPACITY:50',
      ASK_MODEL_CHOOSE_AGAIN: 'false',
    });
  });

  it('that Azure upgraded is kept under its name', { tags: ['long'] }, async () => {
    const upgraded = { ...DEPLOYED, name: 'gpt-6-luna', version: '2026-09-22' };
    const { set } = await preprovision({ deployed: [upgraded] }, CHOSEN);
    expect(set).toMatchObject({
      ASK_MODEL_NAME: 'gpt-6-luna',
      ASK_MODEL_VERSION: '2026-09-22',
      ASK_MODEL_DEPLOYMENT_NAME: 'gpt-5.6-luna',
    });
  });

  it('needs quota only for what is added', async () => {
    const used = { GlobalStandard: { used: 50, limit: 100 } };
    const azure = { regions: { westeurope: [{ ...LUNA_56, skus: used }] }, deployed: [DEPLOYED] };
    const enough = await preprovision(azure, { ...CHOSEN, ASK_MODEL_CAPACITY: '100' });
    expect(enough.code).toBe(0);
    const tooMuch = await preprovision(azure, { ...CHOSEN, ASK_MODEL_CAPACITY: '101' });
    expect(tooMuch.output).toContain('quota: 51 needed, 50 left');
    expect(tooMuch.code).toBe(1);
  });

  it('whose deployment failed is chosen again', { tags: ['long'] }, async () => {
    const { set } = await preprovision({}, CHOSEN);
    expect(set['ASK_MODEL_NAME']).toBe('gpt-6-luna');
  });
});

describe('with a fallback region', () => {
  it('takes the first model that fits in both regions', async () => {
    const regions = { westeurope: OFFERS, swedencentral: [LUNA_56] };
    const { output, set } = await preprovision({ regions }, FALLBACK);
    expect(set['ASK_MODEL_NAME']).toBe('gpt-5.6-luna');
    expect(output).toContain('in westeurope and swedencentral');
  });

  it('takes no model whose quota is too small if both regions share it', { tags: ['long'] }, async () => {
    const scarce = { ...LUNA_6, skus: { GlobalStandard: { limit: 99 } } };
    const regions = { westeurope: [scarce, LUNA_56], swedencentral: [scarce, LUNA_56] };
    const { set } = await preprovision({ regions }, FALLBACK);
    expect(set['ASK_MODEL_NAME']).toBe('gpt-5.6-luna');
  });

  it('refuses a kept model that the fallback region does not have', { tags: ['long'] }, async () => {
    const regions = { westeurope: OFFERS, swedencentral: [LUNA_6] };
    const { code, output } = await preprovision(
      { regions, deployed: [DEPLOYED] },
      { ...CHOSEN, ...FALLBACK },
    );
    expect(output).toMatch(/gpt-5.6-luna .* swedencentral +not offered in this region/);
    expect(code).toBe(1);
  });
});

describe('an existing account', () => {
  it('leaves nothing to choose', async () => {
    const { code, output, calls } = await preprovision({}, EXISTING);
    expect(output).toContain('the existing account shared-model is used');
    expect([code, calls]).toEqual([0, []]);
  });

  it(
    'with a fallback region: the model is checked there only, and not changed',
    { tags: ['long'] },
    async () => {
      const regions = { swedencentral: [LUNA_56] };
      const { code, set, calls } = await preprovision({ regions }, { ...EXISTING, ...FALLBACK });
      expect([code, set]).toEqual([0, {}]);
      expect(calls.some((call) => call.includes('westeurope'))).toBe(false);
    },
  );
});

describe('when Azure cannot be asked', () => {
  const errors = { 'cognitiveservices model': "ERROR: Please run 'az login' to setup account." };

  it('says what is needed', async () => {
    const { code, output, set } = await preprovision({ errors });
    expect(output).toContain("failed: Please run 'az login' to setup account.");
    expect(output).toContain('The model could not be chosen');
    expect([code, set]).toEqual([1, {}]);
  });

  it('goes on with the model of the user', async () => {
    const { code, output } = await preprovision({ errors }, NAMED);
    expect(output).toContain('WARNING: gpt-5-mini 2025-08-07 was not checked.');
    expect(code).toBe(0);
  });

  it('says when the account may not read the quotas', { tags: ['long'] }, async () => {
    const forbidden =
      "ERROR: (AuthorizationFailed) The client does not have authorization to perform action 'Microsoft.CognitiveServices/locations/usages/read'";
    const { code, output } = await preprovision({ errors: { 'cognitiveservices usage': forbidden } });
    expect(output).toContain('locations/usages/read');
    expect(output).toContain('Cognitive Services Usages');
    expect(code).toBe(1);
  });

  it('asks for the region that azd provision does not ask for', async () => {
    const { code, output, calls } = await preprovision({}, { AZURE_LOCATION: '' });
    expect(output).toContain('azd env set AZURE_LOCATION REGION');
    expect([code, calls]).toEqual([1, []]);
  });

  it('passes nothing to a shell', { tags: ['long'] }, async () => {
    const { code, output } = await preprovision({}, { AZURE_LOCATION: 'west&calc' });
    expect(output).toContain('"west&calc" has characters that are not allowed');
    expect(code).toBe(1);
  });
});
