/** Azure's clouds, and what has another name in each of them. */

/** One of them. */
export interface Cloud {
  /** Where Entra ID signs an identity in. */
  authorityHost: string;
  /** For a token that a model accepts. */
  modelScope: string;
  /** What follows `ACCOUNT.table.` in the address of a storage account. */
  storageSuffix: string;
}

/** An identity of the app, and who signs it in. */
export interface IdentityConfig {
  /** Client id of a user-assigned one; the library's own choice without it. */
  clientId: string | undefined;
  /** Address of Entra ID in the cloud of the app. */
  authorityHost: string;
  /** Longest wait for a token, never longer than a question may take. */
  timeoutMs: number;
}

const PUBLIC: Cloud = {
  authorityHost: 'https://login.microsoftonline.com',
  modelScope: 'https://cognitiveservices.azure.com/.default',
  storageSuffix: 'core.windows.net',
};

/**
 * The others, by the ends of their domains. Authorities: `AzureAuthorityHosts` of @azure/identity. Scopes:
 * `FormRecognizerAudience` of @azure/ai-form-recognizer and github.com/openai/openai-go/issues/534. Storage has one
 * scope in all clouds: learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory
 */
const SOVEREIGN: readonly { domain: RegExp; cloud: Cloud }[] = [
  {
    domain: /\.(azure\.us|microsoftonline\.us|usgovcloudapi\.net)$/,
    cloud: {
      authorityHost: 'https://login.microsoftonline.us',
      modelScope: 'https://cognitiveservices.azure.us/.default',
      storageSuffix: 'core.usgovcloudapi.net',
    },
  },
  {
    domain: /\.(azure\.cn|chinacloudapi\.cn)$/,
    cloud: {
      authorityHost: 'https://login.chinacloudapi.cn',
      modelScope: 'https://cognitiveservices.azure.cn/.default',
      storageSuffix: 'core.chinacloudapi.cn',
    },
  },
];

/** Gives the cloud to which the first of `addresses` belongs that says one; the public one when none does. */
export function cloudOf(...addresses: (string | undefined)[]): Cloud {
  for (const address of addresses) {
    const host = URL.parse(address ?? '')?.hostname ?? '';
    const found = SOVEREIGN.find(({ domain }) => domain.test(host));
    if (found) return found.cloud;
  }
  return PUBLIC;
}
