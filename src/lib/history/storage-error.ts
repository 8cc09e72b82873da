/** Translates errors of Table Storage and its SDK into one sentence that names the settings to check. */
import { RestError } from '@azure/data-tables';
import { RowConflictError, StorageError } from './row-store.ts';

/** The settings to check when storage refuses access or cannot be reached, by how the app signs in. */
const SETTINGS = {
  key: 'SESSIONS_STORAGE or AzureWebJobsStorage, whichever is set',
  identity:
    'SESSIONS_STORAGE or AzureWebJobsStorage__tableServiceUri or AzureWebJobsStorage__accountName, whichever is set',
};

/** How the app signs in to storage. */
export type StorageSignIn = keyof typeof SETTINGS;

/** The error of a call that took longer than `ms` milliseconds. */
export const timedOut = (ms: number): StorageError =>
  new StorageError(`Table Storage did not answer within ${ms} ms.`, { code: 'timeout' });

/** The error code of Table Storage. It says more than the HTTP status, which many codes share. */
function storageCode(error: unknown): string | undefined {
  if (error instanceof StorageError) return error.code;
  if (!(error instanceof RestError)) return undefined;
  const { response } = error;
  // `details` is untyped in the SDK.
  const details = error.details as { odataError?: { code?: string } } | undefined;
  return (
    details?.odataError?.code ??
    response?.headers.get('x-ms-error-code') ??
    // Authentication errors are in XML, which the SDK does not parse here.
    /<(?:m:)?code>(\w+)</i.exec(response?.bodyAsText ?? '')?.[1] ??
    error.code
  );
}

/** True when the row, or the whole table, does not exist. */
export const isMissing = (error: unknown): boolean =>
  ['ResourceNotFound', 'EntityNotFound', 'TableNotFound'].includes(storageCode(error) ?? '');

/** True when the table does not exist. */
export const isTableNotFound = (error: unknown): boolean => storageCode(error) === 'TableNotFound';

/**
 * Translates an error of the SDK: into a {@link RowConflictError} when its code is among `conflicts`, otherwise into a
 * {@link StorageError}. Errors that are not about storage are returned unchanged.
 */
export function toStorageError(error: unknown, signIn: StorageSignIn, conflicts: string[] = []): unknown {
  const code = storageCode(error);
  if (code !== undefined && conflicts.includes(code)) return new RowConflictError(code);
  if (error instanceof RestError) return explain(error, code, signIn);
  // Errors of @azure/identity: their messages are long and name no setting.
  if (error instanceof Error && /Authentication|Credential|Identity/.test(error.name)) {
    return new StorageError(
      `Signing in to Table Storage failed (${error.name}). Check ${SETTINGS[signIn]}.`,
      {
        code: error.name,
      },
    );
  }
  return error;
}

/** The error for settings with which no client can be created. */
export const unusableSettings = (signIn: StorageSignIn): StorageError =>
  new StorageError(`Table Storage has no usable address or key. Check ${SETTINGS[signIn]}.`);

function explain({ statusCode: status, cause }: RestError, code: string | undefined, signIn: StorageSignIn) {
  if (status === undefined) {
    // Our HTTP client reports every network error as ECONNRESET, so that the SDK retries it; the cause has the real code.
    const network = (cause as NodeJS.ErrnoException | undefined)?.code ?? code;
    const message = `Table Storage cannot be reached (${network}). Check ${SETTINGS[signIn]}.`;
    return new StorageError(message, { code: network });
  }
  const answer = `${status} ${code ?? ''}`.trim();
  if (status !== 401 && status !== 403) {
    return new StorageError(`Table Storage answered ${answer}.`, { status, code });
  }
  const what =
    signIn === 'key'
      ? `the key in ${SETTINGS.key}`
      : `${SETTINGS.identity}, and that the app's identity has the role Storage Table Data Contributor`;
  return new StorageError(`Table Storage refused access (${answer}). Check ${what}.`, { status, code });
}
