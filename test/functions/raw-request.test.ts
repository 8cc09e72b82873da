/**
 * What a caller writes into the query or the body never replaces what its request really is. The Functions host puts
 * both into the metadata of an invocation, from which the library takes headers and parameters (the local host too:
 * dev/functions-host/binding-data.ts).
 */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionList } from '../../src/lib/contract/responses.ts';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });

const SPELLINGS = ['Headers', 'headers', 'hEADERS'];
const userHeaders = (user: string) => ({
  'x-ms-client-principal-id': user,
  'x-ms-client-principal-idp': 'aad',
});

interface Request {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

const call = (path: string, { method = 'GET', headers = {}, body }: Request = {}): Promise<Response> =>
  fetch(app.url + path, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

/** Sends the forged headers by the query and by the body, in several spellings. */
const forgeries = (forged: object) =>
  SPELLINGS.flatMap((name) => [
    { query: `?${name}=${encodeURIComponent(JSON.stringify(forged))}`, fields: {} },
    { query: '', fields: { [name]: forged } },
    { query: '', fields: { [name]: JSON.stringify(forged) } },
  ]);

describe('headers in the query or the body', () => {
  it('cannot change the signed-in user', async () => {
    const [victim, attacker] = [randomUUID(), randomUUID()];
    const { session_id } = await ask(app, { question: 'My name is Gil.' }, userHeaders(victim));
    for (const { query, fields } of forgeries(userHeaders(victim))) {
      const headers = userHeaders(attacker);
      const read = await call(`/sessions/${session_id}${query}`, { headers });
      expect(await read.text()).not.toContain('Gil');
      await call(`/sessions/${session_id}${query}`, { method: 'DELETE', headers });
      const listed = (await (await call(`/sessions${query}`, { headers })).json()) as SessionList;
      expect(listed.sessions).toEqual([]);
      const body = { question: 'What is my name?', session_id, ...fields };
      const asked = await call(`/ask${query}`, { method: 'POST', headers, body });
      expect([asked.status, await asked.text()]).toEqual([200, expect.not.stringContaining('Gil')]);
      // The attacker's own session with the same id.
      await call(`/sessions/${session_id}`, { method: 'DELETE', headers });
      // A caller who is not signed in does not become a user either.
      expect((await call(`/sessions${query}`)).status).toBe(401);
    }
    const kept = await call(`/sessions/${session_id}`, { headers: userHeaders(victim) });
    expect(await kept.json()).toMatchObject({ interaction_count: 1 });
  });

  it('replace no other header', async () => {
    const tools = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const question = newQuestion();
    const session_id = randomUUID();
    await ask(app, { question });
    const kinds = [
      // An origin that is not allowed, although the forged one is.
      {
        forged: { origin: 'http://localhost' },
        path: '/mcp',
        headers: { origin: 'https://evil.example' },
        body: tools,
      },
      {
        forged: { 'content-type': 'application/json' },
        path: '/ask',
        headers: { 'content-type': 'text/plain' },
      },
      { forged: { accept: 'text/event-stream' }, path: '/ask' },
      { forged: { 'idempotency-key': 'forged' }, path: '/ask', body: { question, session_id } },
      { forged: { 'cache-control': 'no-store' }, path: '/ask' },
    ];
    const expected = [
      { status: 403 },
      { status: 415 },
      { status: 200, type: 'application/json' },
      { status: 200, replayed: null },
      { status: 200, cache: 'HIT' },
    ];
    for (const [index, { forged, path, headers = {}, body = { question } }] of kinds.entries()) {
      for (const { query, fields } of forgeries(forged)) {
        const response = await call(path + query, { method: 'POST', headers, body: { ...body, ...fields } });
        expect({
          status: response.status,
          type: response.headers.get('content-type')?.split(';')[0],
          replayed: response.headers.get('idempotency-replayed'),
          cache: response.headers.get('x-cache'),
        }).toMatchObject(expected[index] ?? {});
      }
    }
  });

  it('do no harm to a caller who has such a field', async () => {
    const field = await call('/ask', { method: 'POST', body: { question: newQuestion(), headers: 'x' } });
    expect(field.status).toBe(200);
    for (const query of ['?headers=1', '?Headers={"a b":"1"}', '?Headers=[1]', '?Query={"before":"x"}']) {
      expect((await call(`/ask${query}`, { method: 'POST', body: { question: newQuestion() } })).status).toBe(
        200,
      );
    }
    const [, asset] = /(\/assets\/[\w.-]+\.js)/.exec(await (await call('/')).text()) ?? [];
    expect((await call(`${asset}?NAME=y&name=z`)).status).toBe(200);
  });

  it('have no effect, whatever they are', { tags: ['long'] }, async () => {
    const { session_id } = await ask(app, { question: newQuestion() }, userHeaders('property'));
    const name = fc.constantFrom(
      ...SPELLINGS,
      'Query',
      'query',
      'id',
      'name',
      'session_id',
      'code',
      'traceparent',
    );
    const value = fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(userHeaders('other'))));
    const route = fc.constantFrom(
      { path: `/sessions/${session_id}`, method: 'GET' },
      { path: '/sessions', method: 'GET' },
      { path: '/health', method: 'GET' },
      { path: '/', method: 'HEAD' },
      { path: '/ask', method: 'POST' },
    );
    const statusOf = async (path: string, method: string, fields: object) => {
      const body =
        method === 'POST' ? { body: { ...fields, question: 'q', session_id: 'property-test' } } : {};
      // Another user asks: the list of a user's sessions is written after the answer.
      const headers = userHeaders(method === 'POST' ? 'asking' : 'property');
      const response = await call(path, { method, headers, ...body });
      const text = method === 'GET' ? await response.text() : response.headers.get('content-type');
      return [response.status, text];
    };
    await expect
      .poll(() => statusOf('/sessions', 'GET', {}))
      .toEqual([200, expect.stringContaining(session_id)]);
    await fc.assert(
      fc.asyncProperty(route, name, value, async ({ path, method }, field, forged) => {
        const plain = await statusOf(path, method, {});
        const query = new URLSearchParams({ [field]: forged });
        expect(await statusOf(`${path}?${String(query)}`, method, {})).toEqual(plain);
        expect(await statusOf(path, method, { [field]: forged })).toEqual(plain);
      }),
      { numRuns: 60 },
    );
  });
});

/** Sends a request as bytes, and gives what comes back before `ms` milliseconds. */
async function sendRaw(request: string | Buffer): Promise<{ answer: () => string; close: () => void }> {
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.on('error', () => {});
  socket.write(request);
  return { answer: () => answer, close: () => socket.destroy() };
}

describe('a request that the host forwards in its own way', () => {
  it('is answered with 30 KB of headers', async () => {
    const response = await call('/health', { headers: { 'x-long': 'x'.repeat(30_000) } });
    expect(response.status).toBe(200);
  });

  it.each(sampled(['local host', 'a b', '[', 'é'.normalize('NFD').slice(0, 1) + '%zz']))(
    'is answered with the Host header "%s"',
    async (host) => {
      const { answer, close } = await sendRaw(`GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      await eventually(() => answer().includes('"ok"'));
      expect(answer()).toMatch(/^HTTP\/1\.1 200 /);
      close();
    },
  );

  it.each([
    ['a header that it cannot forward', 'x-name: é'],
    ['the invocation id of another request', `x-ms-invocation-id: ${randomUUID()}`],
  ])('gets an error within seconds with %s', { tags: ['long'] }, async (_, header) => {
    const request = `GET /health HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
    const { answer, close } = await sendRaw(Buffer.from(request));
    await eventually(() => answer() !== '', 15_000);
    expect(answer()).toMatch(/^HTTP\/1\.1 50\d /);
    close();
    expect((await call('/health')).status).toBe(200);
  });
});

describe('the path of a session', () => {
  const ids = [
    'a/b',
    'a\\b',
    'a?b#c',
    '%',
    '%41',
    '%252',
    'a+b c',
    '/',
    '//',
    'a/../b',
    'é💥',
    '{"a":[1]}',
    'null',
    '%00',
  ];

  it.each(sampled(ids))('is that of the session %j and of no other one', async (start) => {
    const session_id = `${start}${randomUUID()}`;
    const question = newQuestion();
    await ask(app, { question, session_id }, userHeaders('paths'));
    const path = `/sessions/${encodeURIComponent(session_id)}`;
    const read = await (await call(path, { headers: userHeaders('paths') })).json();
    expect(read).toMatchObject({ session_id, chat_history: [{ content: question }, {}] });
    expect((await call(path, { method: 'DELETE', headers: userHeaders('paths') })).status).toBe(204);
    expect((await call(path, { headers: userHeaders('paths') })).status).toBe(404);
  });

  it.each(['%2F', '%2f', 'a%5Cb', '%5c'])('cannot be made for %j, which is refused', async (session_id) => {
    const refused = await call('/ask', { method: 'POST', body: { question: 'q', session_id } });
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining('must not contain'),
    ]);
  });
});
