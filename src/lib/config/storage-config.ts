/** The settings of the storage for sessions, for config.ts alone: where it is, and who signs in there. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import type { SettingsReader } from './settings-reader.ts';

/** Where sessions are kept: by connection string, or by address with the identity of the app. */
export type StorageConfig = { tableName: string } & (
  | { connectionString: string }
  | { endpoint: string; identity: IdentityConfig }
);

/** Reads them; what is wrong is added to the problems of `read`. `tokenTimeoutMs`: longest wait for a token. */
export function readStorage(read: SettingsReader, tokenTimeoutMs: number): StorageConfig {
  return { ...readPlace(read, tokenTimeoutMs), tableName: readTableName(read) };
}

function readTableName(read: SettingsReader): string {
  const name = read.text('SESSIONS_TABLE_NAME') ?? 'sessions';
  // learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#table-names
  if (!/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(name)) {
    read.problems.push('SESSIONS_TABLE_NAME must be 3 to 63 letters and digits, starting with a letter.');
  }
  return name;
}

/** The first that is set: our own settings, then the storage that the Functions host uses itself. */
function readPlace(read: SettingsReader, timeoutMs: number) {
  const own = read.connectionString('SESSIONS_STORAGE_CONNECTION_STRING');
  const ownEndpoint = read.endpoint('SESSIONS_TABLE_ENDPOINT');
  const hosts = read.connectionString('AzureWebJobsStorage');
  const hostsEndpoint = read.endpoint('AzureWebJobsStorage__tableServiceUri');
  const hostsAccount = read.text('AzureWebJobsStorage__accountName');
  const clientId = read.text('AzureWebJobsStorage__clientId');
  const authority = read.endpoint('AZURE_AUTHORITY_HOST');
  const at = (endpoint: string, id?: string): { endpoint: string; identity: IdentityConfig } => ({
    endpoint,
    identity: { clientId: id, authorityHost: authority ?? cloudOf(endpoint).authorityHost, timeoutMs },
  });

  if (own) return { connectionString: own };
  if (ownEndpoint) return at(ownEndpoint);
  if (hosts) return { connectionString: hosts };
  if (hostsEndpoint) return at(hostsEndpoint, clientId);
  if (hostsAccount) {
    // Its name does not say in which cloud it is; the app has its model in the same one.
    const { storageSuffix } = cloudOf(authority, read.text('AZURE_OPENAI_ENDPOINT'));
    return at(`https://${hostsAccount}.table.${storageSuffix}`, clientId);
  }
  read.problems.push(
    'Set AzureWebJobsStorage, SESSIONS_STORAGE_CONNECTION_STRING or SESSIONS_TABLE_ENDPOINT: sessions are kept in Table Storage.',
  );
  return { connectionString: '' };
}
