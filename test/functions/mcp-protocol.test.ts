/** The wire of the Model Context Protocol: revisions, methods, cancellation, many clients, and malformed messages. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { eventually, newQuestion } from '../support/app.ts';
import { scaled } from '../support/effort.ts';
import { connectClient, postMcp, responsesIn, type RpcResponse } from '../support/mcp-client.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { FINISH_ABANDONED: 'off' } });

const initialize = (protocolVersion: string) => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});
const callAsk = (id: number | string, args: object) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'ask', arguments: args },
});

const cancellation = (requestId: number | string) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason: 'The user has lost patience.' },
});

/** Initializes as a client of an earlier revision. Returns the headers of its further requests. */
async function initialized(protocolVersion = '2025-11-25'): Promise<Record<string, string>> {
  const response = await postMcp(app, initialize(protocolVersion));
  await response.text();
  return {
    'Mcp-Session-Id': response.headers.get('mcp-session-id') ?? '',
    'Mcp-Protocol-Version': protocolVersion,
  };
}

describe('revisions', () => {
  it.each(SUPPORTED_PROTOCOL_VERSIONS)(
    '%s is negotiated by initialization, and answers a question',
    async (version) => {
      const [opened] = await responsesIn(await postMcp(app, initialize(version)));
      expect(opened?.result).toMatchObject({
        protocolVersion: version,
        serverInfo: { name: 'azure-functions-ask' },
      });
      const headers = await initialized(version);
      const ready = await postMcp(app, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers);
      expect([ready.status, await ready.text()]).toEqual([202, '']);
      const question = 'What is the capital of France?';
      const [answer] = await responsesIn(await postMcp(app, callAsk('a', { question }), headers));
      expect(answer).toMatchObject({
        id: 'a',
        result: { structuredContent: { answer: expect.stringContaining('Paris') as string } },
      });
    },
  );

  it('an unknown one gets the newest that is negotiated so', async () => {
    const [opened] = await responsesIn(await postMcp(app, initialize('1999-01-01')));
    expect(opened?.result?.['protocolVersion']).toBe('2025-11-25');
  });

  it('a question needs no initialization, because any instance may get it', async () => {
    const headers = { 'Mcp-Session-Id': randomUUID(), 'Mcp-Protocol-Version': '2025-06-18' };
    const [answer] = await responsesIn(await postMcp(app, callAsk(1, { question: newQuestion() }), headers));
    expect(answer?.result).toHaveProperty('structuredContent');
  });

  it('a batch, which revision 2025-03-26 has, gets an answer to each message', async () => {
    const batch = [
      callAsk(1, { question: newQuestion() }),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 2, method: 'ping' },
    ];
    const responses = await responsesIn(await postMcp(app, batch, { 'Mcp-Protocol-Version': '2025-03-26' }));
    expect(new Set(responses.map(({ id }) => id))).toEqual(new Set([1, 2]));
  });
});

describe('HTTP', () => {
  it.each(['GET', 'DELETE', 'PUT'])(
    '%s is not allowed: there are no sessions of the protocol',
    async (method) => {
      const response = await fetch(`${app.url}/mcp`, { method, headers: { Accept: 'text/event-stream' } });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    },
  );

  it('has an id of the invocation, and is never stored', async () => {
    const response = await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect(response.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    expect(response.headers.get('cache-control')).toMatch(/no-store|no-cache/);
    await response.text();
  });

  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

  it.each<[string, string, Record<string, string>, [status: number, code: number]]>([
    ['no JSON', '{', {}, [400, -32_700]],
    ['an empty body', '', {}, [400, -32_700]],
    ['a lone surrogate', '{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', {}, [400, -32_700]],
    ['no message', '{}', {}, [400, -32_600]],
    ['another content type', ping, { 'Content-Type': 'text/plain' }, [415, -32_000]],
    ['a body that is too large', JSON.stringify('x'.repeat(300_000)), {}, [413, -32_000]],
    ['no fitting Accept', ping, { Accept: 'text/html' }, [406, -32_000]],
    ['an unknown revision', ping, { 'Mcp-Protocol-Version': '1999-01-01' }, [400, -32_000]],
  ])('%s is a JSON-RPC error', async (_, body, headers, expected) => {
    const response = await postMcp(app, body, headers);
    const answer = (await response.json()) as RpcResponse;
    expect([response.status, answer.error?.code]).toEqual(expected);
    expect(answer.jsonrpc).toBe('2.0');
  });

  it('a subscription is refused, so that no stream stays open for nothing', async () => {
    const response = await postMcp(app, {
      jsonrpc: '2.0',
      id: 5,
      method: 'subscriptions/listen',
      params: {},
    });
    expect([response.status, await response.json()]).toMatchObject([
      404,
      { id: 5, error: { code: -32_601 } },
    ]);
  });

  it('an unknown method is a JSON-RPC error, and its name is not in the log', async () => {
    const method = `x${randomUUID()}`;
    const [answer] = await responsesIn(await postMcp(app, { jsonrpc: '2.0', id: 1, method }));
    expect(answer?.error?.code).toBe(-32_601);
    await eventually(() => app.output().includes('"method":"_OTHER","outcome":-32601'));
    expect(app.output()).not.toContain(method);
  });
});

describe('a cancellation by notification, as before revision 2026-07-28,', () => {
  it('ends the stream of the request without an answer, and the model call', async () => {
    const headers = await initialized();
    app.emulator.failNext({ kind: 'hang' });
    const asking = postMcp(app, callAsk(7, { question: newQuestion() }), headers);
    await eventually(() => app.emulator.requests.length === 1);
    expect((await postMcp(app, cancellation(7), headers)).status).toBe(202);
    expect(await responsesIn(await asking)).toEqual([]);
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });

  it.each([
    ['a notification of its own', (id: number) => cancellation(id)],
    ['a notification in a batch', (id: number) => [cancellation(id)]],
  ])('of one request of a batch, by %s, lets the stream end with the other answers', async (_, toMessage) => {
    const headers = { ...(await initialized('2025-03-26')), 'Mcp-Protocol-Version': '2025-03-26' };
    app.emulator.latencyMs = 2000;
    const batch = [callAsk(1, { question: newQuestion() }), callAsk(2, { question: newQuestion() })];
    const asking = postMcp(app, batch, headers);
    await eventually(() => app.emulator.requests.length === 2);
    expect((await postMcp(app, toMessage(1), headers)).status).toBe(202);
    const responses = await responsesIn(await asking);
    expect(responses.map(({ id }) => id)).toEqual([2]);
  });

  it('in the same batch as the request lets the stream end', async () => {
    const headers = { 'Mcp-Protocol-Version': '2025-03-26' };
    app.emulator.fault = { kind: 'hang' };
    const batch = [
      callAsk(1, { question: newQuestion() }),
      cancellation(1),
      { jsonrpc: '2.0', id: 2, method: 'ping' },
    ];
    const responses = await responsesIn(await postMcp(app, batch, headers));
    expect(responses.map(({ id }) => id)).toEqual([2]);
  });

  it('of another client, of another id, or without the id of a client changes nothing', async () => {
    const headers = await initialized();
    const other = await initialized();
    app.emulator.latencyMs = 1500;
    const asking = postMcp(app, callAsk(7, { question: newQuestion() }), headers);
    await eventually(() => app.emulator.requests.length === 1);
    const { 'Mcp-Session-Id': _, ...anonymous } = headers;
    for (const [id, from] of [
      [7, other],
      [8, headers],
      ['7', headers],
      [7, anonymous],
    ] as const) {
      expect((await postMcp(app, cancellation(id), from)).status).toBe(202);
    }
    const [answer] = await responsesIn(await asking);
    expect(answer).toMatchObject({ id: 7, result: { structuredContent: { cached: false } } });
  });
});

describe('a slow answer', () => {
  const modern = {
    ...callAsk(1, { question: newQuestion() }),
    params: {
      ...callAsk(1, { question: newQuestion() }).params,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  };
  const modernHeaders = {
    'Mcp-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': 'ask',
  };

  it.each<[string, object, Record<string, string>]>([
    ['2026-07-28', modern, modernHeaders],
    ['2025-11-25', callAsk(1, { question: newQuestion() }), { 'Mcp-Protocol-Version': '2025-11-25' }],
  ])(
    'is a stream with bytes before the first token, by revision %s',
    { tags: ['long'], timeout: 60_000 },
    async (_, message, headers) => {
      app.emulator.fault = { kind: 'hang' };
      const leaving = new AbortController();
      const response = await postMcp(app, message, headers, { signal: leaving.signal });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      // A proxy that waits 60 s for the next byte has got one: the SDK sends a comment each 15 s.
      expect((await reader?.read())?.value).toBe(': keepalive\n\n');
      leaving.abort();
    },
  );
});

it('progress comes at most ten times a second, whole, and its end before the answer', async () => {
  const client = await connectClient(app);
  const content = Array.from({ length: 200 }, (_, index) => `word${index}`).join(' ');
  app.emulator.failNext({ kind: 'answer', content });
  app.emulator.tokenDelayMs = 2;
  const heard: string[] = [];
  const startedAt = performance.now();
  const { answer } = await client.ask(
    { question: newQuestion() },
    { onprogress: ({ message = '' }) => void heard.push(message) },
  );
  const tenths = (performance.now() - startedAt) / 100;
  expect(answer).toBe(content);
  expect(heard.join('')).toBe(content);
  // The first one, and the rest at the end.
  expect(heard.length).toBeLessThanOrEqual(tenths + 2);
});

it('a client that closes the connection ends the model call', async () => {
  app.emulator.failNext({ kind: 'hang' });
  const leaving = new AbortController();
  const asking = postMcp(app, callAsk(1, { question: newQuestion() }), {}, { signal: leaving.signal });
  await eventually(() => app.emulator.requests.length === 1);
  leaving.abort();
  await asking.then((response) => response.text()).catch(() => {});
  await eventually(() => app.emulator.requests[0]?.aborted === true);
});

it(
  'many clients ask at the same time, and each gets its own answers and progress',
  { timeout: 60_000 },
  async () => {
    const count = scaled(50, 20);
    const clients = await Promise.all(
      Array.from({ length: count }, (_, index) => connectClient(app, index % 2 === 0 ? 'auto' : 'legacy')),
    );
    app.emulator.tokenDelayMs = 5;
    const answers = await Promise.all(
      clients.map(async (client, index) => {
        const heard: string[] = [];
        const question = `My name is Client${'abcdefghij'[index % 10]}${'abcdefghij'[Math.floor(index / 10)]}.`;
        const { answer, session_id } = await client.ask(
          { question },
          { onprogress: ({ message = '' }) => void heard.push(message) },
        );
        const again = await client.ask({ question: 'What is my name?', session_id });
        return { question, answer, heard: heard.join(''), again: again.answer };
      }),
    );
    for (const { question, answer, heard, again } of answers) {
      const name = /Client\w+/.exec(question)?.[0] ?? '';
      expect([answer, heard]).toEqual([`Nice to meet you, ${name}.`, `Nice to meet you, ${name}.`]);
      expect(again).toContain(name);
    }
  },
);

describe('malformed messages', () => {
  const id = fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.double(), fc.boolean());
  const methods = [
    'initialize',
    'ping',
    'tools/list',
    'tools/call',
    'resources/read',
    'prompts/get',
    'server/discover',
    'notifications/cancelled',
    'subscriptions/listen',
    '__proto__',
  ];
  const meta = fc.record(
    {
      progressToken: fc.anything(),
      traceparent: fc.string(),
      'io.modelcontextprotocol/protocolVersion': fc.oneof(fc.constant('2026-07-28'), fc.anything()),
      'io.modelcontextprotocol/clientInfo': fc.anything(),
      'io.modelcontextprotocol/clientCapabilities': fc.anything(),
    },
    { requiredKeys: [] },
  );
  const params = fc.record(
    {
      name: fc.oneof(
        fc.constantFrom('ask', 'read_session', 'forget_session', 'explore_topic', 'constructor'),
        fc.anything(),
      ),
      uri: fc.oneof(fc.webUrl(), fc.string(), fc.anything()),
      arguments: fc.oneof(fc.record({ question: fc.anything(), session_id: fc.anything() }), fc.anything()),
      requestId: id,
      _meta: fc.oneof(meta, fc.anything()),
    },
    { requiredKeys: [] },
  );
  const rpc = fc.record(
    {
      jsonrpc: fc.oneof(
        { arbitrary: fc.constant('2.0'), weight: 5 },
        { arbitrary: fc.anything(), weight: 1 },
      ),
      id,
      method: fc.oneof(fc.constantFrom(...methods), fc.string()),
      params: fc.oneof(params, fc.anything()),
      result: fc.anything(),
      error: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    { arbitrary: rpc, weight: 6 },
    { arbitrary: fc.array(rpc, { maxLength: 4 }), weight: 2 },
    { arbitrary: fc.anything(), weight: 1 },
  );
  const version = fc.constantFrom('2026-07-28', '2025-11-25', '2025-03-26', '', 'x');

  it(
    'never get a 5xx, a broken answer or a stack trace, and the endpoint still works',
    { timeout: 300_000 },
    async () => {
      app.emulator.reset();
      await fc.assert(
        fc.asyncProperty(body, version, async (message, revision) => {
          const text = JSON.stringify(message) ?? 'undefined';
          const headers = revision === '' ? {} : { 'Mcp-Protocol-Version': revision };
          const response = await postMcp(app, text, { ...headers, 'Mcp-Session-Id': 'fuzz' });
          const answer = await response.text();
          expect([text, response.status < 500]).toEqual([text, true]);
          expect(answer).not.toMatch(/\bat \/|node_modules|internal_error/);
        }),
        { numRuns: scaled(1500, 150) },
      );
      expect(app.output()).not.toMatch(/internal_error|unhandled|\n\s+at /i);
      const client = await connectClient(app);
      expect((await client.ask({ question: 'What is the capital of France?' })).answer).toContain('Paris');
    },
  );
});
