/** The settings of the session storage: its address and its credentials. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import type { SettingsReader } from './settings-reader.ts';

/** The storage of sessions, with a connection string or with an address and the managed identity of the app. */
export type StorageConfig = { tableName: string } & (
  | { connectionString: string }
  | { endpoint: string; identity: IdentityConfig }
);

/**
 * Reads the storage settings. Invalid values are added to the problems of `settings`. `tokenTimeoutMs` is the time
 * limit for getting a token.
 */
export function readStorageConfig(settings: SettingsReader, tokenTimeoutMs: number): StorageConfig {
  return { ...readAccount(settings, tokenTimeoutMs), tableName: readTableName(settings) };
}

function readTableName(settings: SettingsReader): string {
  const name = settings.text('SESSIONS_TABLE_NAME') ?? 'sessions';
  // learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#table-names
  if (!/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(name)) {
    settings.problems.push('SESSIONS_TABLE_NAME must be 3 to 63 letters and digits, starting with a letter.');
  }
  return name;
}

/** The app's own settings come first, then the storage account of the Functions host. */
function readAccount(settings: SettingsReader, timeoutMs: number) {
  const own = settings.text('SESSIONS_STORAGE');
  const isAddress = own !== undefined && URL.canParse(own);
  const ownEndpoint = isAddress ? settings.httpsUrl('SESSIONS_STORAGE') : undefined;
  const ownConnection = isAddress
    ? undefined
    : settings.connectionString(
        'SESSIONS_STORAGE',
        ', or set the address of its table service, like https://ACCOUNT.table.core.windows.net',
      );
  const hostConnection = settings.connectionString('AzureWebJobsStorage');
  const hostEndpoint = settings.httpsUrl('AzureWebJobsStorage__tableServiceUri');
  const hostAccount = settings.text('AzureWebJobsStorage__accountName');
  const clientId = settings.text('AzureWebJobsStorage__clientId');
  const authority = settings.httpsUrl('AZURE_AUTHORITY_HOST');
  const withIdentity = (endpoint: string, id?: string): { endpoint: string; identity: IdentityConfig } => ({
    endpoint,
    identity: { clientId: id, authorityHost: authority ?? cloudOf(endpoint).authorityHost, timeoutMs },
  });

  if (ownConnection) return { connectionString: ownConnection };
  if (ownEndpoint) return withIdentity(ownEndpoint);
  if (hostConnection) return { connectionString: hostConnection };
  if (hostEndpoint) return withIdentity(hostEndpoint, clientId);
  if (hostAccount) {
    // The name of an account does not identify its cloud, so the cloud of the model is used.
    const { storageSuffix } = cloudOf(authority, settings.text('AZURE_OPENAI_ENDPOINT'));
    return withIdentity(`https://${hostAccount}.table.${storageSuffix}`, clientId);
  }
  settings.problems.push('Set AzureWebJobsStorage or SESSIONS_STORAGE: sessions are kept in Table Storage.');
  return { connectionString: '' };
}
