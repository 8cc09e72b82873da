/** Access to the model with the app's managed identity instead of a key, and through the v1 API. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { localhostCertificate } from '../../dev/stack/certificate.ts';
import { freePort } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, eventually, post } from '../support/app.ts';
import { AzureCommands } from '../support/azure-commands.ts';
import { sampled } from '../support/effort.ts';
import { IdentityRedis } from '../support/identity-redis.ts';
import { NO_IDENTITY, TokenEndpoint, UNAVAILABLE } from '../support/token-endpoint.ts';
import { useFreshApp } from '../support/fixture.ts';

const v1Endpoint = (app: { url: string }): string => `${app.url}/openai/v1/`;

/**
 * Emulates Table Storage with an empty table. It uses TLS, without which the client sends no tokens:
 * learn.microsoft.com/rest/api/storageservices/query-entities and /insert-entity
 */
async function startEmptyStorage() {
  const credentials = new Set<string | undefined>();
  const server = createServer(await localhostCertificate(), (request, response) => {
    credentials.add(request.headers.authorization);
    request.resume();
    const isQuery = request.method === 'GET';
    response.writeHead(isQuery ? 200 : 204, { 'content-type': 'application/json', etag: 'W/"1"' });
    response.end(isQuery ? '{"value":[]}' : undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, credentials, close: () => server.close() };
}

const app = useFreshApp();
let tokens: TokenEndpoint | undefined;
afterEach(() => {
  tokens?.close();
  tokens = undefined;
});

describe('without a key', () => {
  it('the app signs in with its identity, once for many questions', async () => {
    tokens = new TokenEndpoint('emulator-key');
    await app.start({ env: { ...(await tokens.start()), AZURE_CLIENT_ID: 'client-7' } });
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

  it('a refused token is a 502, and the log names the required role', async () => {
    tokens = new TokenEndpoint('emulator-key', NO_IDENTITY);
    await app.start({ env: await tokens.start() });
    const failed = await askForError(app, { question: 'q' });
    expect(failed).toMatchObject({ status: 502, body: { error: { code: 'model_misconfigured' } } });
    expect(app.output()).toContain('Cognitive Services OpenAI User');
    expect(app.output()).not.toContain('identity-secret');
    expect(app.emulator.requests).toHaveLength(0);
  });
});

describe('without a key on the machine of a developer', { tags: ['posix'] }, () => {
  it('the app uses the account of "az login"', { tags: ['long'] }, async () => {
    // learn.microsoft.com/cli/azure/account#az-account-get-access-token
    const token = { accessToken: 'emulator-key', expires_on: Date.now() / 1000 + 3600, tokenType: 'Bearer' };
    using commands = new AzureCommands({ to: 'az account get-access-token', stdout: token });
    await app.start({ env: { AZURE_OPENAI_API_KEY: '', PATH: commands.path } });
    expect((await ask(app, { question: 'What is the capital of France?' })).answer).toContain('Paris');
    expect(commands.lines).toContainEqual(expect.stringContaining('get-access-token --output json'));
  });
});

describe('a Redis of Azure without a key', { tags: ['redis'] }, () => {
  it('is signed in to over TLS with the identity of the app', async () => {
    tokens = new TokenEndpoint('none');
    const settings = await tokens.start();
    const folder = mkdtempSync(join(tmpdir(), 'ask-redis-'));
    const { key, cert } = await localhostCertificate();
    writeFileSync(join(folder, 'key.pem'), key);
    writeFileSync(join(folder, 'cert.pem'), cert);
    const port = await freePort();
    const files = ['key', 'cert'].flatMap((name) => [`--tls-${name}-file`, join(folder, `${name}.pem`)]);
    const tls = ['--tls-port', String(port), '--tls-auth-clients', 'no', '--tls-ca-cert-file'];
    const azure = await IdentityRedis.start(tokens, [...tls, join(folder, 'cert.pem'), ...files]);
    try {
      const token = await azure.allow(3600);
      await app.start({
        env: {
          ...settings,
          AZURE_OPENAI_API_KEY: 'emulator-key',
          ANSWER_CACHE_REDIS_URL: `rediss://cache.westeurope.redis.azure.net:${port}`,
          NODE_OPTIONS: `--import ${pathToFileURL(join(root, 'test/support/azure-redis-host.js')).href}`,
        },
      });
      // The first question starts the services.
      await ask(app, { question: randomUUID() });
      await eventually(async () => (await azure.connections()).length === 1);
      const cacheOf = async () =>
        (await ask(app, { question: randomUUID() })).performance_metrics.cache.result;
      // `error` while Redis is too slow, on a busy machine.
      await eventually(async () => (await cacheOf()) === 'miss');
      await eventually(async () => (await azure.redis.command('INFO', 'keyspace')).includes('keys='));
      expect(app.output()).not.toContain(token);
    } finally {
      await azure.redis.kill();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('without a key and without an identity', () => {
  it('every question is a 502 model_misconfigured', async () => {
    await app.start({ env: { AZURE_OPENAI_API_KEY: '' } });
    for (const question of [randomUUID(), randomUUID()]) {
      const failed = await askForError(app, { question });
      expect(failed).toMatchObject({ status: 502, body: { error: { code: 'model_misconfigured' } } });
    }
    expect(app.output()).toContain('On your own machine, sign in with "az login"');
  });
});

describe('while the token endpoint fails', () => {
  it.each([
    ['answers 500', UNAVAILABLE],
    ['breaks connections', 'break' as const],
  ])(
    '(%s) questions are a 502 model_unavailable, and are answered once it works again',
    { tags: ['long'] },
    async (_, fault) => {
      tokens = new TokenEndpoint('emulator-key', fault);
      await app.start({ env: await tokens.start() });
      const failing = Array.from({ length: 6 }, () => askForError(app, { question: randomUUID() }));
      // Enough failures to open the circuit breaker, but the model's endpoint was never called.
      for (const failed of await Promise.all(failing)) {
        expect(failed).toMatchObject({ status: 502, body: { error: { code: 'model_unavailable' } } });
      }
      // The settings and roles are right.
      expect(app.output()).not.toContain('model_misconfigured');
      expect(app.output()).not.toContain('identity-secret');
      tokens.answer = 'token';
      expect((await ask(app, { question: randomUUID() })).status).toBe('success');
    },
  );

  it(
    '(hangs) the question ends, and questions are answered when it works again',
    { tags: ['long'] },
    async () => {
      tokens = new TokenEndpoint('emulator-key', 'hang');
      // One concurrent call: the question that hung must release it.
      const env = { REQUEST_TIMEOUT_SECONDS: '4', MODEL_MAX_CONCURRENCY: '1' };
      await app.start({ env: { ...(await tokens.start()), ...env } });
      // The time limits of the question and of the token request are equal here; either may end first.
      const failed = await askForError(app, { question: randomUUID() });
      expect(['timeout', 'model_unavailable']).toContain(failed.body.error.code);
      tokens.answer = 'token';
      // A request for a token that began in the last 2 s is shared, also one that hangs until its time limit.
      const statusOf = async () => (await post(app, JSON.stringify({ question: randomUUID() }))).status;
      await eventually(async () => (await statusOf()) === 200, 20_000);
    },
  );

  it(
    '(hangs, for storage) questions are answered without history, and with it when it works again',
    { tags: ['long'] },
    async () => {
      tokens = new TokenEndpoint('storage-token', 'hang');
      const { AZURE_OPENAI_API_KEY: _, ...identity } = await tokens.start();
      const storage = await startEmptyStorage();
      const env = { ...identity, AzureWebJobsStorage: '', SESSIONS_STORAGE: storage.url };
      await app.start({ env });
      const answer = await ask(app, { question: randomUUID(), session_id: randomUUID() });
      expect(answer.performance_metrics).toMatchObject({ history_available: false, history_saved: false });
      expect(answer.performance_metrics.total_time).toBeLessThan(8);
      expect(storage.credentials).toEqual(new Set());

      tokens.answer = 'token';
      const again = await ask(app, { question: randomUUID(), session_id: randomUUID() });
      expect(again.performance_metrics).toMatchObject({ history_available: true, history_saved: true });
      expect(storage.credentials).toEqual(new Set(['Bearer storage-token']));
      expect(tokens.requests[0]?.query.get('resource')).toBe('https://storage.azure.com');
      storage.close();
    },
  );
});

describe('in a sovereign or custom cloud', () => {
  it.each(
    sampled([
      ['https://name.openai.azure.us', 'https://cognitiveservices.azure.us'],
      ['https://name.cognitiveservices.azure.cn/openai/v1/', 'https://cognitiveservices.azure.cn'],
      ['https://name.openai.azure.com', 'https://cognitiveservices.azure.com'],
    ]),
  )('the token is for the cloud of %s', async (endpoint, resource) => {
    tokens = new TokenEndpoint('token');
    await app.start({ env: { ...(await tokens.start()), AZURE_OPENAI_ENDPOINT: endpoint } });
    // The app fetches the first token at startup, so that the test sends no question to a real host.
    await eventually(() => tokens?.requests.length === 1);
    expect(tokens.requests[0]?.query.get('resource')).toBe(resource);
  });

  it(
    'AZURE_AUTHORITY_HOST selects the cloud of the token when the endpoint has a custom domain',
    { tags: ['long'] },
    async () => {
      tokens = new TokenEndpoint('emulator-key');
      const AZURE_AUTHORITY_HOST = 'https://login.microsoftonline.us';
      await app.start({ env: { ...(await tokens.start()), AZURE_AUTHORITY_HOST } });
      expect((await ask(app, { question: randomUUID() })).status).toBe('success');
      expect(tokens.requests[0]?.query.get('resource')).toBe('https://cognitiveservices.azure.us');
    },
  );
});

describe('the v1 API', () => {
  it.each(sampled(['a key', 'an identity']))(
    'is used when the endpoint is its address, with %s',
    { tags: ['long'] },
    async (credential) => {
      const model = await startEmulator();
      tokens = new TokenEndpoint(model.apiKey);
      const identity = await tokens.start();
      await app.start({
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
