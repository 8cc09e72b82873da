/** Signing in at Azure OpenAI with the identity of the app, where there is no key. */
import { errors } from './errors.ts';

/** learn.microsoft.com/azure/ai-foundry/openai/how-to/managed-identity */
const SCOPE = 'https://cognitiveservices.azure.com/.default';

/**
 * Gives a function that gives a valid token. The first one is fetched in the background at once; the library keeps it
 * and renews it before it expires. `clientId` names a user-assigned identity.
 * The function throws AskError `model_misconfigured` when there is no identity, or it gets no token.
 */
export function signIn(clientId: string | undefined): () => Promise<string> {
  const provider = loadProvider(clientId);
  const getToken = async (): Promise<string> => {
    try {
      return await (
        await provider
      )();
    } catch (error) {
      throw errors.modelMisconfigured(error);
    }
  };
  // A failure is told by the question that needs the token.
  getToken().catch(() => {});
  return getToken;
}

// Loaded only here: the library is large, and an app with a key never needs it.
async function loadProvider(clientId: string | undefined): Promise<() => Promise<string>> {
  const { DefaultAzureCredential, getBearerTokenProvider } = await import('@azure/identity');
  const identity = clientId === undefined ? {} : { managedIdentityClientId: clientId };
  return getBearerTokenProvider(new DefaultAzureCredential(identity), SCOPE);
}
