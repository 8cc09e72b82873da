/** Emulates App Service's local token endpoint, which issues tokens for an app's managed identity. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Environment } from '../../src/lib/config/config.ts';

/** A response of the endpoint. */
interface TokenResponse {
  status: number;
  body: unknown;
}

/**
 * The app does not have this identity. Wording from AzureAD/microsoft-authentication-library-for-java,
 * ManagedIdentityIT.
 */
export const NO_IDENTITY: TokenResponse = {
  status: 400,
  body: {
    statusCode: 400,
    message:
      'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
    correlationId: '7b0bd4b0-2ba4-4bbb-a6a5-7d0e8a6d7f0a',
  },
};

/** A temporary failure. Wording and spelling from `getMsiErrorResponse` in the tests of the same repository. */
export const UNAVAILABLE: TokenResponse = {
  status: 500,
  body: {
    statusCode: 500,
    message: 'An unexpected error occured while fetching the AAD Token.',
    correlationId: '7b0bd4b0-2ba4-4bbb-a6a5-7d0e8a6d7f0a',
  },
};

/** Follows learn.microsoft.com/azure/app-service/overview-managed-identity, and can produce failures. */
export class TokenEndpoint {
  readonly requests: { query: URLSearchParams; secret: string | undefined }[] = [];
  /** The response to further requests: a token, no response, a broken connection, or an error. */
  answer: 'token' | 'hang' | 'break' | TokenResponse;
  /** The token of further responses, and for how long it is valid. */
  token: string;
  lifetimeSeconds = 86_400;
  readonly #server: Server;

  constructor(token: string, answer: TokenEndpoint['answer'] = 'token') {
    this.token = token;
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const query = new URL(request.url ?? '', 'http://localhost').searchParams;
      this.requests.push({ query, secret: request.headers['x-identity-header'] as string | undefined });
      if (this.answer === 'hang') return;
      if (this.answer === 'break') {
        request.socket.destroy();
        return;
      }
      const { status, body } = this.answer === 'token' ? this.#granted(query) : this.answer;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  }

  /** Starts the server. Returns the settings of an app that uses this endpoint instead of a key. */
  async start(): Promise<Environment> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return {
      IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`,
      IDENTITY_HEADER: 'identity-secret',
      AZURE_OPENAI_API_KEY: '',
    };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #granted(query: URLSearchParams): TokenResponse {
    return {
      status: 200,
      body: {
        access_token: this.token,
        client_id: '5e29463d-71da-4fe0-8e69-999b57db23b0',
        expires_on: String(Math.floor(Date.now() / 1000) + this.lifetimeSeconds),
        resource: query.get('resource'),
        token_type: 'Bearer',
      },
    };
  }
}
