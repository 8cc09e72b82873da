/** What Table Storage means when it refuses a call or does not answer: by its codes, in one sentence. */
import { RestError } from '@azure/data-tables';
import { RowConflictError, StorageError } from './row-store.ts';

/** Settings that may be wrong when storage refuses or cannot be reached, by how the app signs in. */
const SETTINGS = {
  key: 'SESSIONS_STORAGE_CONNECTION_STRING or AzureWebJobsStorage, whichever is set',
  identity:
    'SESSIONS_TABLE_ENDPOINT or AzureWebJobsStorage__tableServiceUri or AzureWebJobsStorage__accountName, whichever is set',
};

/** How the app signs in to storage. */
export type StorageSignIn = keyof typeof SETTINGS;

/** The error of a call that took longer than `ms` milliseconds. */
export const timedOut = (ms: number): StorageError =>
  new StorageError(`Table Storage did not answer within ${ms} ms.`, { code: 'timeout' });

/** The code with which storage refused a call: a status alone says too little, since many codes share it. */
export function storageCode(error: unknown): string | undefined {
  if (error instanceof StorageError) return error.code;
  if (!(error instanceof RestError)) return undefined;
  const { response } = error;
  // `details` is untyped in the SDK.
  const details = error.details as { odataError?: { code?: string } } | undefined;
  return (
    details?.odataError?.code ??
    response?.headers.get('x-ms-error-code') ??
    // Who signs in wrongly is answered in XML, which the SDK cannot read here.
    /<(?:m:)?code>(\w+)</i.exec(response?.bodyAsText ?? '')?.[1] ??
    error.code
  );
}

/** Codes that say that a row, or the table that would hold it, is not there. */
export const isMissing = (error: unknown): boolean =>
  ['ResourceNotFound', 'EntityNotFound', 'TableNotFound'].includes(storageCode(error) ?? '');

/** True when there is no table. */
export const isTableNotFound = (error: unknown): boolean => storageCode(error) === 'TableNotFound';

/**
 * Gives the error to throw for one that the SDK threw: a {@link RowConflictError} for a code among `conflicts`, else a
 * {@link StorageError}. What is neither is given back as it is.
 */
export function toStorageError(error: unknown, signIn: StorageSignIn, conflicts: string[] = []): unknown {
  const code = storageCode(error);
  if (code !== undefined && conflicts.includes(code)) return new RowConflictError(code);
  if (error instanceof RestError) return explain(error, code, signIn);
  // Those of signing in; the library's messages are long and name no setting.
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

/** The error for settings that no client can be made of. */
export const unusableSettings = (signIn: StorageSignIn): StorageError =>
  new StorageError(`Table Storage has no usable address or key. Check ${SETTINGS[signIn]}.`);

function explain({ statusCode: status, cause }: RestError, code: string | undefined, signIn: StorageSignIn) {
  if (status === undefined) {
    // What the network said is below what the SDK's retry policy had to be told.
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
