/** The ways to reach a model: with the app's identity instead of a key, and through the v1 API. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Environment } from '../../src/lib/config.ts';
import { startEmulator } from '../../dev/azure-openai-emulator.ts';
import { ask, askForError, startApp, type TestApp } from '../helpers.ts';

const v1Endpoint = (app: { url: string }): string => `${app.url}/openai/v1/`;

/** App Service's local token endpoint, by learn.microsoft.com/azure/app-service/overview-managed-identity. */
class TokenEndpoint {
  readonly requests: { query: URLSearchParams; secret: string | undefined }[] = [];
  readonly #server: Server;

  constructor(status: number, token: string) {
    this.#server = createServer((request, response) => {
      const query = new URL(request.url ?? '', 'http://localhost').searchParams;
      this.requests.push({ query, secret: request.headers['x-identity-header'] as string | undefined });
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          access_token: token,
          expires_on: String(Math.floor(Date.now() / 1000) + 86_400),
          resource: query.get('resource'),
          token_type: 'Bearer',
        }),
      );
    });
  }

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
}

let app: TestApp | undefined;
let tokens: TokenEndpoint | undefined;
afterEach(async () => {
  await app?.stop();
  tokens?.close();
  app = tokens = undefined;
});

describe('without a key', () => {
  it('the identity of the app signs in, once for many questions', async () => {
    tokens = new TokenEndpoint(200, 'emulator-key');
    app = await startApp({ env: { ...(await tokens.start()), AZURE_CLIENT_ID: 'client-7' } });
    for (const question of ['What is the capital of France?', 'Hi there']) {
      expect((await ask(app, { question })).status).toBe('success');
    }
    expect(tokens.requests).toHaveLength(1);
    const [request] = tokens.requests;
    expect(request?.secret).toBe('identity-secret');
    expect(request?.query.get('resource')).toContain('https://cognitiveservices.azure.com');
    expect(request?.query.get('client_id')).toBe('client-7');
    expect(app.output()).not.toContain('emulator-key');
  });

  it('and without a token: 502, and the log says which role is missing', async () => {
    tokens = new TokenEndpoint(400, '');
    app = await startApp({ env: await tokens.start() });
    const failed = await askForError(app, { question: 'q' });
    expect(failed).toMatchObject({ status: 502, body: { error: { code: 'model_misconfigured' } } });
    expect(app.output()).toContain('Cognitive Services OpenAI User');
    expect(app.output()).not.toContain('identity-secret');
    expect(app.emulator.requests).toHaveLength(0);
  });
});

describe('the v1 API', () => {
  it.each(['a key', 'an identity'])(
    'answers by being written as the endpoint, with %s',
    async (credential) => {
      const model = await startEmulator();
      tokens = new TokenEndpoint(200, model.apiKey);
      const identity = await tokens.start();
      app = await startApp({
        env: {
          ...(credential === 'an identity' && identity),
          AZURE_OPENAI_ENDPOINT: v1Endpoint(model),
          NODE_EXTRA_CA_CERTS: model.certificatePath,
        },
      });
      const answer = await ask(app, { question: 'What is the capital of France?' });
      expect(answer.answer).toContain('Paris');
      expect(answer.performance_metrics.connection?.protocol).toBe('h2');
      expect(model.requests).toMatchObject([{ deployment: 'gpt-4o', apiVersion: '', status: 200 }]);
      await model.close();
    },
  );
});
