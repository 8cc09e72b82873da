/** Limits, errors and owners over the Model Context Protocol: the same as over HTTP. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { connectClient, postMcp, type RpcResponse, textOf, type ToolResult } from '../support/mcp-client.ts';
import { startStorageProxy } from '../support/storage-proxy.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

const errorOf = ({ _meta: meta }: ToolResult) =>
  meta?.['azure-functions-ask/error'] as ErrorBody['error'] | undefined;
const codeOf = (result: ToolResult): unknown => errorOf(result)?.code;

const user = (id: string) => ({ 'x-ms-client-principal-id': id, 'x-ms-client-principal-idp': 'aad' });

const statusFor = async (origin: string): Promise<number> =>
  (await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' }, { Origin: origin })).status;

describe('errors of tools', () => {
  it('say what is wrong with the arguments', async () => {
    await app.start({ fresh: true, env: { MAX_QUESTION_CHARS: '100' } });
    const client = await connectClient(app);
    const cases: [string, object, string, string][] = [
      ['ask', {}, 'invalid_request', 'The field "question" is missing.'],
      ['ask', { question: 7 }, 'invalid_request', 'The field "question" must be a string.'],
      ['ask', { question: ' ' }, 'invalid_request', 'must not be blank'],
      ['ask', { question: 'q', session_id: '..' }, 'invalid_request', 'The field "session_id" must not be'],
      ['ask', { question: 'x'.repeat(101) }, 'question_too_long', 'longer than 100 characters'],
      ['read_session', {}, 'invalid_request', 'The field "session_id" must be a string.'],
      [
        'read_session',
        { session_id: 's', before: 'x' },
        'invalid_request',
        'The field "before" must be `next` of another page',
      ],
      ['read_session', { session_id: randomUUID() }, 'session_not_found', 'There is no such session'],
      ['forget_session', { session_id: '' }, 'invalid_request', 'must have 1 to 256 characters'],
    ];
    for (const [tool, args, code, text] of cases) {
      const result = await client.call(tool, args);
      expect([result.isError, codeOf(result)]).toEqual([true, code]);
      expect(textOf(result)).toContain(text);
      expect(textOf(result)).toContain(`code: ${code}`);
    }
    expect(app.emulator.requests).toEqual([]);
  });

  it('give the model’s faults with code, wait and session', { tags: ['long'] }, async () => {
    await app.start();
    const client = await connectClient(app);
    const session_id = randomUUID();
    // Longer than the time limit of the question, so there is no retry.
    app.emulator.fault = { kind: 'status', status: 429, retryAfter: '120' };
    const limited = await client.call('ask', { question: newQuestion(), session_id });
    expect(codeOf(limited)).toBe('model_rate_limited');
    expect(textOf(limited)).toMatch(/\(code: model_rate_limited; retry after \d+ s; session_id: /);
    expect(textOf(limited)).toContain(session_id);

    app.emulator.fault = { kind: 'content_filter' };
    expect(codeOf(await client.call('ask', { question: newQuestion() }))).toBe('content_filtered');
    expect(app.output()).not.toMatch(/\n\s+at /);
  });

  it('say that the time limit has passed', { tags: ['long'] }, async () => {
    await app.start({ fresh: true, env: { REQUEST_TIMEOUT_SECONDS: '6' } });
    app.emulator.failNext({ kind: 'hang' }, { kind: 'hang' });
    const late = await (
      await connectClient(app)
    ).call('ask', { question: newQuestion() }, { onprogress: () => {} });
    expect(errorOf(late)).toEqual({ code: 'timeout', limit: 6 });
    expect(textOf(late)).toContain('within 6 seconds');
  });

  it('say that a wrong setting is the operator’s, and name it in the log only', async () => {
    await app.start({ fresh: true, env: { AZURE_OPENAI_API_KEY: 'wrong-key-4711' } });
    const result = await (await connectClient(app)).call('ask', { question: newQuestion() });
    expect(codeOf(result)).toBe('model_misconfigured');
    expect(JSON.stringify(result)).not.toMatch(/4711|AZURE_OPENAI/);
    expect(app.output()).toContain('check AZURE_OPENAI_ENDPOINT');
  });

  it('say that the places are taken', async () => {
    await app.start({ fresh: true, env: { MODEL_MAX_CONCURRENCY: '1' }, emulator: { latencyMs: 2000 } });
    const client = await connectClient(app);
    // One is asked and one waits.
    const results = await Promise.all(
      Array.from({ length: 3 }, () => client.call('ask', { question: newQuestion() })),
    );
    expect(results.map((each) => codeOf(each)).filter(Boolean)).toEqual(['busy']);
  });

  it('say that storage failed, but a question is answered without it', async () => {
    const storage = await startStorageProxy();
    onTestFinished(() => storage.close());
    await app.start({ fresh: true, env: { SESSIONS_STORAGE: storage.connectionString } });
    const client = await connectClient(app);
    const { session_id } = await client.ask({ question: newQuestion() });
    for (const kind of ['query', 'get', 'insert', 'batch'] as const) storage.failNext(kind, 'throttle', 1000);
    const read = await client.call('read_session', { session_id });
    expect([read.isError, codeOf(read)]).toEqual([true, 'history_unavailable']);
    expect(codeOf(await client.call('forget_session', { session_id }))).toBe('history_unavailable');
    await expect(client.sdk.readResource({ uri: `session://${session_id}` })).rejects.toMatchObject({
      code: -32_603,
      message: expect.stringContaining('Sessions cannot be read at the moment') as string,
    });
    const answer = await client.ask({ question: newQuestion(), session_id });
    expect(answer.performance_metrics).toMatchObject({ history_available: false, history_saved: false });
  });
});

describe('access', () => {
  it('needs the function key, in a header', async () => {
    await app.start({ enableAuth: true });
    expect((await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(401);
    await expect(connectClient(app, 'auto')).rejects.toThrow();
    const client = await connectClient(app, 'auto', { 'x-functions-key': app.host.functionKey });
    expect((await client.ask({ question: newQuestion() })).answer).not.toBe('');
  });

  it('gives each signed-in user sessions of their own', async () => {
    await app.start({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
    const [ada, bob] = [user(randomUUID()), user(randomUUID())];
    const ofAda = await connectClient(app, 'auto', ada);
    const ofBob = await connectClient(app, 'legacy', bob);
    const session_id = randomUUID();
    await ofAda.ask({ question: 'My name is Ada.', session_id });
    expect((await ofBob.ask({ question: 'What is my name?', session_id })).answer).not.toContain('Ada');
    expect((await ofAda.ask({ question: 'What is my name?', session_id })).answer).toContain('Ada');
    expect((await ask(app, { question: 'What is my name?', session_id }, ada)).answer).toContain('Ada');
    await ofBob.call('forget_session', { session_id });
    expect((await ofAda.call('read_session', { session_id })).isError).toBeFalsy();

    const unknown = await postMcp(
      app,
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { 'x-ms-client-principal': 'x' },
    );
    expect([unknown.status, ((await unknown.json()) as RpcResponse).error?.data?.code]).toEqual([
      401,
      'not_signed_in',
    ]);
  });
});

describe('the header Origin', () => {
  it('refuses web pages of foreign origins, and says which setting allows them', async () => {
    await app.start();
    for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null', 'x']) {
      const response = await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' }, { Origin: origin });
      expect([origin, response.status]).toEqual([origin, 403]);
      expect((await response.json()) as RpcResponse).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { message: expect.stringContaining('MCP_ALLOWED_ORIGINS') as string },
      });
    }
    for (const origin of ['http://localhost:6274', 'http://127.0.0.1', 'http://[::1]:80']) {
      expect([origin, await statusFor(origin)]).toEqual([origin, 200]);
    }
  });

  it('lets the pages that it allows call from a browser, with CORS', async () => {
    await app.start();
    const preflight = (origin: string) =>
      fetch(`${app.url}/mcp`, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type,mcp-protocol-version,x-functions-key',
        },
      });
    const allowed = await preflight('http://localhost:6274');
    expect([allowed.status, Object.fromEntries(allowed.headers)]).toMatchObject([
      204,
      {
        'access-control-allow-origin': 'http://localhost:6274',
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type,mcp-protocol-version,x-functions-key',
      },
    ]);
    for (const body of [{ jsonrpc: '2.0', id: 1, method: 'ping' }, '{']) {
      const response = await postMcp(app, body, { Origin: 'http://localhost:6274' });
      expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:6274');
      expect(response.headers.get('access-control-expose-headers')).toContain('Mcp-Session-Id');
      await response.text();
    }
    const refused = await preflight('https://evil.example');
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    expect(
      (await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' })).headers.has(
        'access-control-allow-origin',
      ),
    ).toBe(false);
  });

  it('allows the app’s own name and the origins in the setting', { tags: ['long'] }, async () => {
    await app.start({
      fresh: true,
      env: {
        MCP_ALLOWED_ORIGINS: 'https://chat.example.com, https://tools.example.com:8443',
        WEBSITE_HOSTNAME: 'ask.azurewebsites.net',
      },
    });
    expect(await statusFor('https://chat.example.com')).toBe(200);
    expect(await statusFor('https://tools.example.com:8443')).toBe(200);
    expect(await statusFor('https://ask.azurewebsites.net')).toBe(200);
    expect(await statusFor('https://example.com')).toBe(403);
  });
});

describe('the process', () => {
  it('gives a JSON-RPC client an HTTP error when its settings are wrong', { tags: ['long'] }, async () => {
    await app.start({ fresh: true, env: { MCP_ALLOWED_ORIGINS: 'chat.example.com' } });
    const response = await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect([response.status, await response.json()]).toMatchObject([
      500,
      { error: { code: 'misconfigured' } },
    ]);
    expect(app.output()).toContain('MCP_ALLOWED_ORIGINS must list origins such as https://chat.example.com');
  });

  it('finishes a stream before it stops', { tags: ['long'] }, async () => {
    await app.start({ fresh: true });
    app.emulator.latencyMs = 500;
    const client = await connectClient(app);
    const asking = client.ask({ question: newQuestion() }, { onprogress: () => {} });
    await eventually(() => app.emulator.requests.length === 1);
    const [answer, code] = await Promise.all([asking, app.stop()]);
    expect([answer.performance_metrics.history_saved, code]).toEqual([true, 0]);
  });
});
