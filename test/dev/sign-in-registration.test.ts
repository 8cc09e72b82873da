/**
 * npm run register and postprovision: the app registration with which users sign in.
 * @module-tag long
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AzureCommands, type Call, type Reply } from '../support/azure-commands.ts';

let commands: AzureCommands;
beforeEach(() => {
  commands = new AzureCommands();
});
afterEach(() => commands[Symbol.dispose]());

const CLIENT = 'a1b2c3d4-0000-0000-0000-000000000001';
const OBJECT = 'a1b2c3d4-0000-0000-0000-000000000002';
const SCOPE = { id: 'a1b2c3d4-0000-0000-0000-000000000003', value: 'user_impersonation', type: 'User' };
const GRAPH = 'https://graph.microsoft.com/v1.0/applications';

/** As Microsoft Graph describes an application: learn.microsoft.com/graph/api/application-post-applications */
const application = (changes: object = {}): object => ({
  '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#applications/$entity',
  id: OBJECT,
  appId: CLIENT,
  createdDateTime: '2026-11-30T02:00:00Z',
  displayName: 'ask (dev)',
  identifierUris: [],
  signInAudience: 'AzureADMyOrg',
  tags: ['azd-env-name:dev'],
  api: {
    acceptMappedClaims: null,
    knownClientApplications: [],
    requestedAccessTokenVersion: 2,
    oauth2PermissionScopes: [SCOPE],
    preAuthorizedApplications: [],
  },
  passwordCredentials: [],
  web: { homePageUrl: null, logoutUrl: null, redirectUris: [], redirectUriSettings: [] },
  ...changes,
});

const callTo = (start: string): Call | undefined => commands.calls.find(({ line }) => line.startsWith(start));

const register = () => commands.run(['register']);

describe('npm run register', { tags: ['posix'] }, () => {
  const VALUES = { to: 'azd env get-values --output json', stdout: { AZURE_ENV_NAME: 'dev' } };
  const POST: Reply = { to: `az rest --method POST --url ${GRAPH}`, stdout: application() };

  it('creates a registration with version 2 tokens and a scope, and gives azd its id', async () => {
    commands.reply(VALUES, POST, { to: 'azd env set' });
    expect(await register()).toEqual({ code: 0, output: `Registered ${CLIENT}. Next: azd up\n` });
    expect(callTo('az rest --method POST')?.body).toMatchObject({
      signInAudience: 'AzureADMyOrg',
      api: {
        requestedAccessTokenVersion: 2,
        oauth2PermissionScopes: [{ value: 'user_impersonation', isEnabled: true }],
      },
      web: { implicitGrantSettings: { enableIdTokenIssuance: true } },
    });
    expect(commands.lines.at(-1)).toBe(`azd env set ASK_AUTH_CLIENT_ID=${CLIENT}`);
  });

  it('creates no second one', async () => {
    commands.reply({ ...VALUES, stdout: { AZURE_ENV_NAME: 'dev', ASK_AUTH_CLIENT_ID: CLIENT } });
    const { code, output } = await register();
    expect([code, output]).toEqual([1, `Users sign in already: ASK_AUTH_CLIENT_ID is ${CLIENT}.\n`]);
    expect(commands.lines).toHaveLength(1);
  });

  it('says why it may not', async () => {
    // The words of Microsoft Graph, as the CLI prints them: github.com/Azure/azure-cli/issues/20875
    const stderr =
      'ERROR: Forbidden({"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}})\n';
    commands.reply(VALUES, { ...POST, stdout: '', stderr, code: 1 });
    const { code, output } = await register();
    expect(output).toContain('failed: Forbidden({"error":{"code":"Authorization_RequestDenied"');
    expect(code).toBe(1);
  });

  it('tells the id when azd does not take it', async () => {
    commands.reply(VALUES, POST, { to: 'azd env set', stderr: 'ERROR: no', code: 1 });
    const { code, output } = await register();
    expect(output).toContain(`azd env set ASK_AUTH_CLIENT_ID ${CLIENT}`);
    expect(code).toBe(1);
  });
});

describe('npm run postprovision', { tags: ['posix'] }, () => {
  const URL = 'https://func-1.azurewebsites.net';
  const postprovision = (env: Record<string, string> = {}) =>
    commands.run(['postprovision'], { ASK_SIGN_IN: 'true', ASK_AUTH_CLIENT_ID: CLIENT, ...env });
  const SHOW: Reply = { to: 'az ad app show', stdout: application() };
  const REST: Reply[] = [
    { to: `az rest --method PATCH --url ${GRAPH}/${OBJECT}` },
    { to: 'az ad sp show', stderr: `ERROR: Resource '${CLIENT}' does not exist`, code: 3 },
    { to: 'az ad sp create' },
    { to: 'az ad app federated-credential list', stdout: [] },
    { to: 'az ad app federated-credential create' },
  ];

  it('completes the registration with what is known only now', async () => {
    commands.reply(SHOW, ...REST);
    const { code, output } = await postprovision();
    expect([code, output]).toEqual([0, `Users sign in with the app registration ${CLIENT}.\n`]);
    expect(callTo('az rest')?.body).toEqual({
      identifierUris: [`api://${CLIENT}`],
      web: { redirectUris: [`${URL}/.auth/login/aad/callback`] },
    });
    expect(callTo('az ad app federated-credential create')?.body).toEqual({
      name: 'app-identity-principal-1',
      issuer: 'https://login.microsoftonline.com/tenant-1/v2.0',
      subject: 'principal-1',
      audiences: ['api://AzureADTokenExchange'],
    });
  });

  it('can be repeated, and keeps the addresses that somebody added', async () => {
    const web = { redirectUris: ['https://ask.example.com/.auth/login/aad/callback'] };
    commands.reply(
      { ...SHOW, stdout: application({ web }) },
      { to: 'az ad sp show' },
      { to: 'az ad app federated-credential list', stdout: [{ subject: 'principal-1' }] },
      ...REST,
    );
    expect((await postprovision({ ASK_AUTH_CLIENTS: ' client-7 ' })).code).toBe(0);
    expect(callTo('az rest')?.body).toMatchObject({
      web: { redirectUris: [...web.redirectUris, `${URL}/.auth/login/aad/callback`] },
      api: { preAuthorizedApplications: [{ appId: 'client-7', delegatedPermissionIds: [SCOPE.id] }] },
    });
    expect(commands.lines.filter((line) => line.includes(' create'))).toEqual([]);
  });

  it('changes no registration that was made in another way', async () => {
    commands.reply({ ...SHOW, stdout: application({ tags: [] }) });
    const { code, output } = await postprovision();
    expect(output).toContain('is left as it is');
    expect(code).toBe(0);
    expect(commands.lines).toHaveLength(1);
  });

  it('lets an account deploy that may not read registrations', async () => {
    commands.reply({ ...SHOW, stdout: '', stderr: 'ERROR: Insufficient privileges\n', code: 1 });
    const { code, output } = await postprovision();
    expect(output).toContain(`The app registration ${CLIENT} was not checked.`);
    expect(output).toContain('failed: Insufficient privileges');
    expect(code).toBe(0);
  });

  it('fails when the registration cannot be completed', async () => {
    commands.reply(SHOW, { to: 'az rest', stderr: 'ERROR: Bad Request\n', code: 1 });
    const { code, output } = await postprovision();
    expect(output).toMatch(/could not be completed\. "az rest .*" failed: Bad Request/);
    expect(code).toBe(1);
  });

  it('does nothing when nobody signs in', async () => {
    expect(await postprovision({ ASK_SIGN_IN: 'false' })).toEqual({ code: 0, output: '' });
    expect(commands.calls).toEqual([]);
  });
});
