/** The app registration in Entra with which users sign in, through the Azure CLI and Microsoft Graph. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { az, type CommandResult, NO_AZ } from './commands.ts';

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

/** Creates a registration with version 2 tokens and a scope. @throws Error with the message of the CLI. */
export function createRegistration(environment: string): Application {
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
  return application.parse(JSON.parse(graph('POST', GRAPH, body)));
}

/** Reads a registration. @throws Error with the message of the CLI. */
export const readRegistration = (clientId: string): Application =>
  application.parse(JSON.parse(output(az('ad app show --output json --id', clientId))));

/** Adds what could not be known before the app was deployed. It can be repeated. @throws Error with the message of the CLI. */
export function completeRegistration({ id, appId, api, web }: Application, app: SignInApp): void {
  const callback = `${app.url}/.auth/login/aad/callback`;
  const scopes = api.oauth2PermissionScopes.filter(({ value }) => value === SCOPE).map((scope) => scope.id);
  const preAuthorizedApplications = app.clients.map((client) => ({
    appId: client,
    delegatedPermissionIds: scopes,
  }));
  graph('PATCH', `${GRAPH}/${id}`, {
    identifierUris: [`api://${appId}`],
    web: { redirectUris: [...new Set([...web.redirectUris, callback])] },
    ...(app.clients.length > 0 && { api: { preAuthorizedApplications } }),
  });
  // Without a service principal, nobody in the tenant can sign in to it.
  if (az('ad sp show --id', appId).code !== 0) output(az('ad sp create --id', appId));
  trustIdentity(appId, app);
}

/** Lets the app's identity act for the registration, instead of a client secret. */
function trustIdentity(appId: string, { tenantId, principalId }: SignInApp): void {
  const command = 'ad app federated-credential';
  if (output(az(`${command} list --output json --id`, appId)).includes(principalId)) return;
  const credential = {
    name: `app-identity-${principalId}`,
    issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
    subject: principalId,
    audiences: ['api://AzureADTokenExchange'],
  };
  withFile(credential, (file) => output(az(`${command} create --id`, appId, '--parameters', file)));
}

/** Sends a request to Microsoft Graph. Returns the body of the response. */
const graph = (method: string, url: string, body: object): string =>
  withFile(body, (file) => {
    const content = ['--headers', 'Content-Type=application/json', '--body', `@${file}`];
    return output(az('rest --method', method, '--url', url, ...content));
  });

/** In a file, JSON needs no quoting for a shell. */
function withFile(content: object, use: (file: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ask-'));
  try {
    const file = join(folder, 'body.json');
    writeFileSync(file, JSON.stringify(content));
    return use(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function output({ code, stdout, stderr }: CommandResult): string {
  if (code === null) throw new Error(NO_AZ);
  if (code !== 0) throw new Error(stderr.trim());
  return stdout;
}
