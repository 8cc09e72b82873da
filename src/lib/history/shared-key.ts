/** Signs requests to Table Storage with the account's key, like the policy of the SDK that it replaces. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { PipelinePolicy, PipelineRequest } from '@azure/core-rest-pipeline';

/** The name of the SDK's policy. It makes the key anew for each request, which takes 0.03 ms instead of 0.004 ms. */
export const SHARED_KEY_POLICY = 'tablesNamedKeyCredentialPolicy';

/** Creates the policy for a connection string; null when it has no key, but for instance a shared access signature. */
export function sharedKeyPolicy(connectionString: string): PipelinePolicy | null {
  const account = readPart(connectionString, 'AccountName');
  const key = readPart(connectionString, 'AccountKey');
  if (account === undefined || key === undefined) return null;
  const secret = createSecretKey(key, 'base64');
  return {
    name: SHARED_KEY_POLICY,
    sendRequest(request, next) {
      sign(request, account, secret);
      return next(request);
    },
  };
}

const readPart = (connectionString: string, name: string): string | undefined =>
  new RegExp(`(?:^|;)\\s*${name}=([^;]+)`, 'i').exec(connectionString)?.[1];

/** "Shared Key Lite" of learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key. */
function sign(request: PipelineRequest, account: string, secret: KeyObject): void {
  const { pathname, searchParams } = new URL(request.url);
  const component = searchParams.get('comp');
  const resource = `/${account}${pathname}${component === null ? '' : `?comp=${component}`}`;
  const date = request.headers.get('x-ms-date') ?? new Date().toUTCString();
  const signature = createHmac('sha256', secret).update(`${date}\n${resource}`).digest('base64');
  request.headers.set('x-ms-date', date);
  request.headers.set('authorization', `SharedKeyLite ${account}:${signature}`);
}
