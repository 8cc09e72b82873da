/** Callers with keys of their own: CALLER_KEYS. */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText } from '@xsai/generate-text';
import OpenAI, { AuthenticationError } from 'openai';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import { openApiDocument } from '../../src/lib/contract/openapi/document.ts';
import type { ErrorBody, SessionList } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, post, startApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';
import { CLIENTS, connectClient, postMcp, type RpcResponse } from '../support/mcp-client.ts';
import { spansOf } from '../support/otlp.ts';
import { storage } from '../support/azurite.ts';

/** Two callers, and the second key of one of them. */
const KEYS = { shop: 'key-of-shop-7f3a', desk: 'key-of-desk-7f3a', shopNext: 'next-key-of-shop-7f3a' };
const digestOf = (key: string): string => createHash('sha256').update(key).digest('hex');
const CALLER_KEYS = [
  `shop=${digestOf(KEYS.shop)}`,
  `desk=${digestOf(KEYS.desk).toUpperCase()}`,
  ` shop = ${digestOf(KEYS.shopNext)}`,
].join(',');
const env = { CALLER_KEYS, HTTP_AUTH_LEVEL: 'anonymous' };

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
const shop = bearer(KEYS.shop);
const desk = bearer(KEYS.desk);

const app = useApp({ enableAuth: true, env: { ...env, CACHE_PARTITION: 'user' } });

const MESSAGE =
  'Your key is missing or wrong. Send it in the header "Authorization: Bearer KEY", or in "api-key".';

/** The operations that need a key, as `METHOD path`: all but those without security, and those of operators. */
const closed = Object.entries(openApiDocument()['paths'] as Record<string, Record<string, object>>).flatMap(
  ([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => ['get', 'post', 'delete'].includes(method))
      .filter(([, operation]) => !('security' in operation))
      .map(([method]) => `${method.toUpperCase()} ${path}`),
);
const ofOperators = [
  'DELETE /cache',
  'GET /health/ready',
  'DELETE /users/{name}',
  'GET /users/{name}/export',
];
const ofCallers = closed.filter((each) => !ofOperators.includes(each));

/** Sends a request without a valid body, which no handler has to reach. */
function send(operation: string, headers: Record<string, string>): Promise<Response> {
  const [method = '', path = ''] = operation.split(' ');
  const body = method === 'POST' ? '{"unread' : null;
  const type = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };
  return fetch(app.url + path.replaceAll(/\{\w+\}/g, 'x'), {
    method,
    headers: { ...type, ...headers },
    body,
  });
}

/** The code and the message of an error, in any of the three shapes. */
async function errorIn(response: Response): Promise<{ code?: string | undefined; message: string }> {
  const body = (await response.json()) as Partial<ErrorBody> & Partial<RpcResponse>;
  const { code, message, data } = (body.error ?? {}) as {
    code: string;
    message: string;
    data?: { code: string };
  };
  return { code: data?.code ?? code, message: body.status ?? message };
}

/** What is no key of a caller, as headers. */
const notKeys = (): Record<string, string>[] => [
  {},
  bearer('wrong'),
  { 'api-key': 'wrong' },
  { 'api-key': '' },
  { Authorization: 'Bearer ' },
  bearer(digestOf(KEYS.shop)),
  bearer(`${KEYS.shop} `.repeat(2)),
  { Authorization: `Basic ${KEYS.shop}` },
  { 'x-functions-key': app.host.functionKey },
  { 'x-ms-client-principal-id': 'shop', 'x-ms-client-principal-idp': 'caller' },
];

describe.each(ofCallers)('%s', (operation) => {
  it('refuses who has no key, or a wrong one, with the same words', async () => {
    for (const headers of notKeys()) {
      const response = await send(operation, headers);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect(await errorIn(response)).toEqual({ code: 'invalid_api_key', message: MESSAGE });
    }
  });

  it('accepts a key in both headers, and two of one caller', async () => {
    for (const headers of [shop, { authorization: `bearer  ${KEYS.desk}` }, { 'api-key': KEYS.shopNext }])
      expect((await send(operation, headers)).status).not.toBe(401);
  });
});

it('covers every operation', () => {
  expect(ofCallers).toHaveLength(14);
  expect(closed).toEqual(expect.arrayContaining(ofOperators));
});

it('leaves what everybody gets, and what operators need their keys for, as it is', async () => {
  for (const path of ['/', '/health', '/openapi.json'])
    expect([path, (await fetch(app.url + path)).status]).toEqual([path, 200]);
  const statusesOf = async (headers: Record<string, string>) =>
    Promise.all(
      ofOperators.map(async (operation) => {
        const [method = '', path = ''] = operation.split(' ');
        return (await fetch(app.url + path.replace('{name}', 'x'), { method, headers })).status;
      }),
    );
  expect(await statusesOf(shop)).toEqual([401, 401, 401, 401]);
  expect(await statusesOf({ 'x-functions-key': app.host.functionKey })).toEqual([403, 200, 403, 403]);
  expect(await statusesOf({ 'x-functions-key': app.host.masterKey })).toEqual([200, 200, 200, 200]);
});

describe('a caller', () => {
  it('is one user with both keys, and another than the next caller', async () => {
    const session_id = randomUUID();
    await ask(app, { question: 'My name is Ada.', session_id }, shop);
    const question = 'What is my name?';
    expect((await ask(app, { question, session_id }, bearer(KEYS.shopNext))).answer).toContain('Ada');
    expect((await ask(app, { question, session_id }, desk)).answer).not.toContain('Ada');
    const listed = async (headers: Record<string, string>) => {
      const response = await fetch(`${app.url}/sessions`, { headers });
      return ((await response.json()) as SessionList).sessions.map((each) => each.session_id);
    };
    const own = randomUUID();
    await ask(app, { question: newQuestion(), session_id: own }, shop);
    await eventually(async () => (await listed({ 'api-key': KEYS.shopNext })).includes(own));
    expect(await listed(desk)).not.toContain(own);
  });

  it('cannot read, copy, continue or delete the session of another, nor its answers', async () => {
    const session_id = randomUUID();
    const fields = { question: newQuestion(), session_id };
    await ask(app, fields, { ...shop, 'Idempotency-Key': 'k' });
    const address = `${app.url}/sessions/${session_id}`;
    const statusOf = async (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
      (await fetch(address + path, { ...init, headers: { 'Content-Type': 'application/json', ...headers } }))
        .status;
    const copy = { method: 'POST', body: '{}' };
    const remove = { method: 'DELETE' };
    expect(await statusOf('', desk)).toBe(404);
    expect(await statusOf('/answers/k', desk)).toBe(404);
    expect(await statusOf('/copy', desk, copy)).toBe(404);
    await statusOf('/answers/k', desk, remove);
    expect(await statusOf('', desk, remove)).toBe(204);
    expect(await statusOf('', shop)).toBe(200);
    expect(await statusOf('/answers/k', shop)).toBe(200);
    expect(await statusOf('/copy', shop, copy)).toBe(201);
  });

  it('shares no cached answer with another, with CACHE_PARTITION=user', async () => {
    const question = newQuestion();
    const resultFor = async (headers: Record<string, string>) =>
      (await ask(app, { question }, headers)).performance_metrics.cache.result;
    expect(await resultFor(shop)).toBe('miss');
    expect(await resultFor(desk)).toBe('miss');
    expect(await resultFor(bearer(KEYS.shopNext))).toBe('hit');
  });

  it('asks by MCP', async () => {
    for (const connect of Object.values(CLIENTS)) {
      const client = await connect(app, { ...shop });
      const { session_id } = await client.ask({ question: newQuestion() });
      await eventually(async () =>
        JSON.stringify((await client.call('list_sessions', {})).structuredContent).includes(session_id),
      );
      const other = await connectClient(app, 'auto', { ...desk });
      expect((await other.call('read_session', { session_id })).isError).toBe(true);
    }
    await expect(connectClient(app, 'auto')).rejects.toThrow();
  });

  it('calls /mcp from a web page, whose preflight request has no key', async () => {
    const origin = 'http://localhost:5173';
    const preflight = await fetch(`${app.url}/mcp`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'Access-Control-Request-Headers': 'authorization',
        'Access-Control-Request-Method': 'POST',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization',
    ]);
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    expect((await postMcp(app, ping, { origin, ...shop })).status).toBe(200);
    const refused = await postMcp(app, ping, { origin });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
  });
});

const baseURL = () => `${app.url}/v1`;

describe('clients of OpenAI', () => {
  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: newQuestion() }] }];
  const messages = [{ role: 'user' as const, content: newQuestion() }];
  const vercel = { openai: createOpenAI, compatible: createOpenAICompatible };
  const clients: Record<string, (apiKey: string) => PromiseLike<unknown>> = {
    openai: (apiKey) =>
      new OpenAI({ baseURL: baseURL(), apiKey }).chat.completions.create({ model: 'default', messages }),
    LangChain: (apiKey) =>
      new ChatOpenAI({ model: 'default', apiKey, configuration: { baseURL: baseURL() } }).invoke(
        newQuestion(),
      ),
    '@ai-sdk/openai': (apiKey) =>
      vercel.openai({ baseURL: baseURL(), apiKey })('default').doGenerate({ prompt }),
    '@ai-sdk/openai-compatible': (apiKey) =>
      vercel.compatible({ name: 'ask', baseURL: baseURL(), apiKey })('default').doGenerate({ prompt }),
    xsAI: (apiKey) => generateText({ baseURL: baseURL(), apiKey, model: 'default', messages }),
  };

  it.each(Object.entries(clients))('%s has the key as its API key', async (_, asks) => {
    await asks(KEYS.shop);
    await expect(asks('wrong')).rejects.toThrow(/Your key is missing or wrong/);
    expect(app.emulator.requests.length).toBeLessThan(2);
  });

  it('openai knows the error of a wrong key', async () => {
    const client = new OpenAI({ baseURL: baseURL(), apiKey: 'wrong' });
    const error: unknown = await client.models.list().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error' });
  });
});

it('a refused request is no question: nothing is asked, counted or logged', async () => {
  await ask(app, { question: newQuestion() }, shop);
  app.reset();
  await askForError(app, { question: newQuestion() }, bearer('wrong'));
  expect(app.emulator.requests).toHaveLength(0);
  await ask(app, { question: newQuestion() }, desk);
  await eventually(() => app.output().includes('"event":"question"'));
  expect(app.output().match(/"event":"question"/g)).toHaveLength(1);
});

it('the name is in the log, and the key nowhere: not in the log, the telemetry, the table or the cache', async () => {
  const otlp = await startReceiver();
  const folder = await mkdtemp(join(tmpdir(), 'ask-callers-'));
  const [table, path] = [`callers${randomUUID().replaceAll('-', '')}`, join(folder, 'answers.sqlite')];
  const recorded = await startApp({
    env: {
      ...env,
      SESSIONS_TABLE_NAME: table,
      ANSWER_CACHE_PATH: path,
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
    },
  });
  onTestFinished(() => otlp.close());
  const fields = { question: newQuestion(), session_id: randomUUID() };
  await ask(recorded, fields, { ...shop, 'Idempotency-Key': 'k' });
  await (await post(recorded, JSON.stringify({ ...fields, stream: true }), { 'api-key': KEYS.shop })).text();
  const chat = { model: 'default', messages: [{ role: 'user', content: newQuestion() }] };
  await fetch(`${recorded.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...shop },
    body: JSON.stringify(chat),
  });
  const client = await connectClient(recorded, 'legacy', { ...shop });
  await client.ask({ question: newQuestion() });
  await askForError(recorded, '{"question": 1}', shop);
  recorded.emulator.failNext({ kind: 'status', status: 400 });
  await askForError(recorded, { question: newQuestion() }, shop);
  await askForError(recorded, { question: newQuestion() }, bearer(`${KEYS.shop}-wrong`));
  await client.sdk.close();
  await recorded.stop();

  expect(recorded.output()).toMatch(/"event":"question".*"caller":"shop"/);
  expect(spansOf(otlp).length).toBeGreaterThan(0);
  const rows: unknown[] = [];
  const options = { allowInsecureConnection: true };
  for await (const row of TableClient.fromConnectionString(storage, table, options).listEntities())
    rows.push(row);
  expect(rows.length).toBeGreaterThan(0);
  const places = [recorded.output(), JSON.stringify(otlp.received), JSON.stringify(rows)];
  for (const place of [...places, readFileSync(path, 'latin1')]) {
    expect(place).not.toContain(KEYS.shop);
    expect(place).not.toContain(digestOf(KEYS.shop));
  }
});

describe('settings that do not fit', () => {
  it.each([
    ['with function keys', { CALLER_KEYS }, 'HTTP_AUTH_LEVEL=anonymous'],
    ['with the sign-in', { ...env, TRUST_USER_HEADERS: 'true' }, 'TRUST_USER_HEADERS'],
    ['with a key in place of its digest', { ...env, CALLER_KEYS: `shop=${KEYS.shop}` }, 'npm run caller-key'],
  ])('answer nothing, and say why: %s', async (_, settings: Record<string, string>, reason) => {
    const refused = await startApp({ env: settings });
    onTestFinished(async () => void (await refused.stop()));
    for (const headers of [{}, shop])
      expect((await askForError(refused, { question: 'q' }, headers)).body.error.code).toBe('misconfigured');
    await eventually(() => refused.output().includes('misconfigured: '));
    expect(refused.output()).toContain(reason);
    expect(refused.output()).not.toContain(KEYS.shop);
    expect(refused.output()).not.toContain(digestOf(KEYS.shop));
  });
});
