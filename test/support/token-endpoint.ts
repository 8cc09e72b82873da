/** App Service's local token endpoint, which gives the identity of an app its tokens. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Environment } from '../../src/lib/config/config.ts';

/** A refusal or a failure, as the endpoint words it. */
interface Refusal {
  status: number;
  body: unknown;
}

/** The app has no such identity. Wording: AzureAD/microsoft-authentication-library-for-java, ManagedIdentityIT. */
export const NO_IDENTITY: Refusal = {
  status: 400,
  body: {
    statusCode: 400,
    message:
      'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
    correlationId: '7b0bd4b0-2ba4-4bbb-a6a5-7d0e8a6d7f0a',
  },
};

/** A passing failure, spelt as the endpoint does: `getMsiErrorResponse` in the tests of the same repository. */
export const UNAVAILABLE: Refusal = {
  status: 500,
  body: {
    statusCode: 500,
    message: 'An unexpected error occured while fetching the AAD Token.',
    correlationId: '7b0bd4b0-2ba4-4bbb-a6a5-7d0e8a6d7f0a',
  },
};

/** Speaks as learn.microsoft.com/azure/app-service/overview-managed-identity says, and can fail. */
export class TokenEndpoint {
  readonly requests: { query: URLSearchParams; secret: string | undefined }[] = [];
  /** What the next requests get: a token, an error, silence, or a connection that breaks. */
  answer: 'token' | 'hang' | 'break' | Refusal;
  readonly #token: string;
  readonly #server: Server;

  constructor(token: string, answer: TokenEndpoint['answer'] = 'token') {
    this.#token = token;
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

  /** Gives the settings with which an app without a key finds it. */
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

  #granted(query: URLSearchParams): Refusal {
    return {
      status: 200,
      body: {
        access_token: this.#token,
        client_id: '5e29463d-71da-4fe0-8e69-999b57db23b0',
        expires_on: String(Math.floor(Date.now() / 1000) + 86_400),
        resource: query.get('resource'),
        token_type: 'Bearer',
      },
    };
  }
}
