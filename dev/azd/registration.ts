/**
 * The app registration in Entra with which users sign in, through the Azure CLI and Microsoft Graph. Rejected: the Bicep
 * extension for Microsoft Graph, with which every account that deploys needs rights in Entra, and each compilation
 * restores an artifact from a registry; `az ad app create`, which changes an existing application of the same name.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { root } from '../stack/root.ts';
import { azJson, CliError, runCli } from './cli.ts';

const GRAPH = 'https://graph.microsoft.com/v1.0/applications';

/** The scope for which clients ask: `api://CLIENT_ID/user_impersonation`, as in infra/modules/app-settings.bicep. */
const SCOPE = 'user_impersonation';

/** A registration: learn.microsoft.com/graph/api/resources/application */
const application = z.object({
  id: z.string(),
  appId: z.string(),
  tags: z.array(z.string()),
  api: z.object({ oauth2PermissionScopes: z.array(z.object({ id: z.string(), value: z.string() })) }),
  web: z.object({ redirectUris: z.array(z.string()) }),
});

/** learn.microsoft.com/graph/api/resources/federatedidentitycredential */
const credentials = z.array(z.object({ subject: z.string() }));

/** A registration in Entra. `id` is that of its object, `appId` the client id. */
export type Application = z.infer<typeof application>;

/** What a registration needs to know about the app. */
export interface SignInApp {
  url: string;
  tenantId: string;
  principalId: string;
  /** Client ids of programs that get tokens without asking each user for consent. */
  clients: string[];
}

/** Marks the registrations of this project, so that no other one is changed. */
export const tagOf = (environment: string): string => `azd-env-name:${environment}`;

/** Creates a registration with version 2 tokens and a scope. @throws CliError */
export function createRegistration(environment: string): Promise<Application> {
  const text = 'Ask questions as the signed-in user';
  const scope = {
    id: randomUUID(),
    value: SCOPE,
    type: 'User',
    isEnabled: true,
    adminConsentDisplayName: text,
    adminConsentDescription: text,
    userConsentDisplayName: text,
    userConsentDescription: text,
  };
  const body = {
    displayName: `ask (${environment})`,
    signInAudience: 'AzureADMyOrg',
    tags: [tagOf(environment)],
    api: { requestedAccessTokenVersion: 2, oauth2PermissionScopes: [scope] },
    // App Service asks for an id token, too.
    web: { implicitGrantSettings: { enableIdTokenIssuance: true } },
  };
  return withFile(body, (file) => azJson(application, graphRequest('POST', GRAPH, file)));
}

/** Reads a registration. @throws CliError */
export const readRegistration = (clientId: string): Promise<Application> =>
  azJson(application, ['ad', 'app', 'show', '--id', clientId]);

/** Adds what could not be known before the app was deployed. It can be repeated. @throws CliError */
export async function completeRegistration(
  { id, appId, api, web }: Application,
  app: SignInApp,
): Promise<void> {
  const callback = `${app.url}/.auth/login/aad/callback`;
  const scopes = api.oauth2PermissionScopes.filter(({ value }) => value === SCOPE).map((scope) => scope.id);
  const preAuthorizedApplications = app.clients.map((client) => ({
    appId: client,
    delegatedPermissionIds: scopes,
  }));
  const changes = {
    identifierUris: [`api://${appId}`],
    web: { redirectUris: [...new Set([...web.redirectUris, callback])] },
    ...(app.clients.length > 0 && { api: { preAuthorizedApplications } }),
  };
  await withFile(changes, (file) => runCli('az', graphRequest('PATCH', `${GRAPH}/${id}`, file)));
  // Without a service principal, nobody in the tenant can sign in to it.
  try {
    await runCli('az', ['ad', 'sp', 'show', '--id', appId]);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    await runCli('az', ['ad', 'sp', 'create', '--id', appId]);
  }
  await trustIdentity(appId, app);
}

/** Lets the app's identity act for the registration, instead of a client secret. */
async function trustIdentity(appId: string, { tenantId, principalId }: SignInApp): Promise<void> {
  const command = ['ad', 'app', 'federated-credential'];
  const trusted = await azJson(credentials, [...command, 'list', '--id', appId]);
  if (trusted.some(({ subject }) => subject === principalId)) return;
  const credential = {
    name: `app-identity-${principalId}`,
    issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
    subject: principalId,
    audiences: ['api://AzureADTokenExchange'],
  };
  await withFile(credential, (file) =>
    runCli('az', [...command, 'create', '--id', appId, '--parameters', file]),
  );
}

/** The arguments of a request to Microsoft Graph with a file as its body. */
const graphRequest = (method: string, url: string, file: string): string[] => {
  const content = ['--headers', 'Content-Type=application/json', '--body', `@${file}`];
  return ['rest', '--method', method, '--url', url, ...content];
};

/**
 * Gives `use` the path of a file with the content as JSON, which needs no quoting for a shell there. It is in the project,
 * because a relative path has no blanks or other characters that a shell would read.
 */
async function withFile<T>(content: object, use: (file: string) => Promise<T>): Promise<T> {
  const data = join(root, '.data');
  mkdirSync(data, { recursive: true });
  const folder = mkdtempSync(join(data, 'azd-'));
  try {
    const file = join(folder, 'body.json');
    writeFileSync(file, JSON.stringify(content));
    return await use(relative(root, file).replaceAll('\\', '/'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
