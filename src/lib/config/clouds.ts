/** The Azure clouds, and the names that differ between them. */

/** An Azure cloud: the public one or a sovereign one. */
export interface Cloud {
  /** Address at which Entra ID signs in identities of this cloud. */
  authorityHost: string;
  /** Scope of the token for Azure OpenAI. */
  modelScope: string;
  /** Follows `ACCOUNT.table.` in the host name of a storage account. */
  storageSuffix: string;
}

/** How the app signs in with its managed identity. */
export interface IdentityConfig {
  /** Client id of a user-assigned identity. When undefined, `DefaultAzureCredential` chooses the identity. */
  clientId: string | undefined;
  /** Address of Entra ID in the cloud of the app. */
  authorityHost: string;
  /** Time limit for getting a token, never longer than the request timeout. */
  timeoutMs: number;
}

const PUBLIC_CLOUD: Cloud = {
  authorityHost: 'https://login.microsoftonline.com',
  modelScope: 'https://cognitiveservices.azure.com/.default',
  storageSuffix: 'core.windows.net',
};

/**
 * The sovereign clouds, recognised by their domain suffixes. Authorities: `AzureAuthorityHosts` of @azure/identity.
 * Scopes: `FormRecognizerAudience` of @azure/ai-form-recognizer and github.com/openai/openai-go/issues/534. Storage has
 * one scope in all clouds: learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory
 */
const SOVEREIGN_CLOUDS: readonly { domain: RegExp; cloud: Cloud }[] = [
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

/** Returns the sovereign cloud of the first address that belongs to one, otherwise the public cloud. */
export function cloudOf(...addresses: (string | undefined)[]): Cloud {
  for (const address of addresses) {
    const host = URL.parse(address ?? '')?.hostname ?? '';
    const match = SOVEREIGN_CLOUDS.find(({ domain }) => domain.test(host));
    if (match) return match.cloud;
  }
  return PUBLIC_CLOUD;
}
