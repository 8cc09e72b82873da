/** The emulated model, called by real undici clients over both protocols. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Emulator,
  type EmulatorOptions,
  type Fault,
  startEmulator,
} from '../../dev/azure-openai-emulator/emulator.ts';
import { runNode } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { eventually } from '../support/app.ts';

let emulator: Emulator;
const agents: Agent[] = [];

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
  await emulator.close();
});

const PROTOCOLS = [
  ['h2', true],
  ['h1', false],
] as const;

async function start(options?: EmulatorOptions): Promise<void> {
  emulator = await startEmulator(options);
}

/** Limited to one connection by default: undici opens another while it is still cleaning up the last response. */
function client(allowH2: boolean, connections = 1): Agent {
  const connectOptions = { ca: readFileSync(emulator.certificatePath), allowH2, preferH2: allowH2 };
  // The next request may come late on a busy machine.
  const keepAliveTimeout = 60_000;
  const agent = new Agent({ allowH2, connect: connectOptions, connections, keepAliveTimeout });
  agents.push(agent);
  return agent;
}

interface Call {
  path?: string;
  headers?: Record<string, string>;
  body?: object | string;
  signal?: AbortSignal;
}

const CHAT = '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21';

function send(
  agent: Agent,
  { path = CHAT, headers = {}, body = {}, signal }: Call,
): Promise<Dispatcher.ResponseData> {
  return request(emulator.url + path, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'api-key': emulator.apiKey, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function ask(agent: Agent, ...questions: string[]): Promise<string | null> {
  const response = await send(agent, {
    body: { messages: questions.map((content) => ({ role: 'user', content })) },
  });
  const answer = (await response.body.json()) as { choices: { message: { content: string | null } }[] };
  return answer.choices[0]?.message.content ?? null;
}

const question = { messages: [{ role: 'user', content: 'What is the capital of France?' }] };

describe.each(PROTOCOLS)('over %s', (protocol, allowH2) => {
  it('answers with a chat completion, and records the request', async () => {
    await start();
    const response = await send(client(allowH2), { body: question });
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'content-type': 'application/json', 'x-ms-region': 'emulator' });
    expect(response.headers['x-request-id']).not.toBe(response.headers['apim-request-id']);
    expect(await response.body.json()).toMatchObject({
      object: 'chat.completion',
      model: 'gpt-4o-2024-11-20-emulated',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'The capital of France is Paris.', refusal: null },
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 8,
        completion_tokens: 8,
        total_tokens: 16,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
    expect(emulator.requests).toEqual([
      {
        api: 'chat',
        isV1: false,
        socket: 1,
        protocol,
        deployment: 'gpt-4o',
        apiVersion: '2024-10-21',
        messages: question.messages,
        body: question,
        stream: false,
        status: 200,
        aborted: false,
      },
    ]);
  });

  it('streams the same answer word by word', async () => {
    await start();
    const body = { ...question, stream: true, stream_options: { include_usage: true } };
    const response = await send(client(allowH2), { body });
    expect(response.headers['content-type']).toContain('text/event-stream');
    const events = (await response.body.text()).split('\n\n').filter(Boolean);
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)) as Chunk);
    expect(chunks[0]).toMatchObject({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
    expect(chunks[1]).toMatchObject({
      object: 'chat.completion.chunk',
      choices: [{ delta: { role: 'assistant' } }],
    });
    const words = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean);
    expect(words).toEqual(['The ', 'capital ', 'of ', 'France ', 'is ', 'Paris.']);
    expect(chunks.at(-2)).toMatchObject({ choices: [{ delta: {}, finish_reason: 'stop' }] });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 16 } });
    expect(new Set(chunks.slice(1).map((chunk) => chunk.id)).size).toBe(1);
    expect(emulator.requests[0]).toMatchObject({ stream: true, aborted: false });
  });

  it('streams usage only on request', async () => {
    await start();
    const response = await send(client(allowH2), { body: { ...question, stream: true } });
    expect(await response.body.text()).not.toContain('usage');
  });

  it('records the connections of 50 concurrent requests', async () => {
    await start({ latencyMs: 20 });
    const agent = client(allowH2, 50);
    const numbers = Array.from({ length: 50 }, (_, index) => `Number ${index}`);
    for (const _ of [1, 2]) {
      const answers = await Promise.all(numbers.map((number) => ask(agent, number)));
      answers.forEach((answer, index) => expect(answer).toContain(`"Number ${index}"`));
    }
    expect(emulator.sockets).toHaveLength(allowH2 ? 1 : 50);
    expect(emulator.sockets.reduce((sum, socket) => sum + socket.requests, 0)).toBe(100);
    expect(emulator.sockets.every((socket) => socket.protocol === protocol && socket.open)).toBe(true);
    expect(emulator.requests.every(({ status, aborted }) => status === 200 && !aborted)).toBe(true);
  });

  it('records which request used which connection, for 50 concurrent clients', async () => {
    await start({ latencyMs: 20 });
    const clients = Array.from({ length: 50 }, (_, index) => ({
      name: `Client ${index}`,
      agent: client(allowH2),
    }));
    for (const _ of [1, 2, 3]) await Promise.all(clients.map(({ name, agent }) => ask(agent, name)));
    expect(emulator.sockets.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(emulator.sockets.map((socket) => socket.requests)).toEqual(Array.from({ length: 50 }, () => 3));
    const socketsOf = (name: string) =>
      new Set(
        emulator.requests.filter(({ messages }) => messages[0]?.content === name).map(({ socket }) => socket),
      );
    expect(clients.every(({ name }) => socketsOf(name).size === 1)).toBe(true);
    expect(new Set(clients.flatMap(({ name }) => [...socketsOf(name)])).size).toBe(50);

    // Closing a client closes the connection that carried its requests.
    const [first] = clients;
    await first?.agent.destroy();
    await eventually(() => emulator.sockets.some(({ open }) => !open));
    const closed = emulator.sockets.filter(({ open }) => !open).map(({ id }) => id);
    expect(closed).toEqual([...socketsOf('Client 0')]);
  });

  it('records a client that aborts before the answer', async () => {
    await start();
    emulator.failNext({ kind: 'hang' });
    const agent = client(allowH2);
    const controller = new AbortController();
    const pending = send(agent, { body: question, signal: controller.signal });
    await eventually(() => emulator.requests[0]?.messages.length === 1);
    controller.abort();
    await expect(pending).rejects.toThrow('aborted');
    await eventually(() => emulator.requests[0]?.aborted === true);
    expect(emulator.requests[0]?.status).toBeNull();
    expect(await ask(agent, 'Hi there')).toContain('Hello');
    expect(emulator.requests[1]).toMatchObject({ status: 200, aborted: false });
  });

  it('records a client that aborts during the latency', async () => {
    await start({ latencyMs: 600_000 });
    const controller = new AbortController();
    const pending = send(client(allowH2), { body: question, signal: controller.signal });
    await eventually(() => emulator.requests.length === 1);
    controller.abort();
    await expect(pending).rejects.toThrow('aborted');
    await eventually(() => emulator.requests[0]?.aborted === true);
  });

  it('resets a stream before any response, and does not record it as aborted by the client', async () => {
    await start();
    emulator.failNext({ kind: 'reset' });
    const agent = client(allowH2);
    await expect(send(agent, { body: question })).rejects.toThrow();
    expect(await ask(agent, 'Hi')).toContain('Hello');
    expect(emulator.requests).toMatchObject([
      { status: null, aborted: false },
      { status: 200, aborted: false },
    ]);
    expect(emulator.requests).toHaveLength(2);
  });

  it.each(['refuse', 'goaway'] as const)('%s: the client retries the request', async (kind) => {
    await start();
    emulator.failNext({ kind });
    const agent = client(allowH2);
    if (!allowH2) await expect(send(agent, { body: question })).rejects.toThrow();
    expect(await ask(agent, 'Hi')).toContain('Hello');
    expect(emulator.requests).toMatchObject([
      { status: null, aborted: false },
      { status: 200, aborted: false },
    ]);
    expect(emulator.sockets).toHaveLength(kind === 'refuse' && allowH2 ? 1 : 2);
  });

  it('stalls during an answer', async () => {
    await start();
    emulator.failNext({ kind: 'stall' });
    const controller = new AbortController();
    const stalled = await send(client(allowH2), { body: question, signal: controller.signal });
    expect(stalled.statusCode).toBe(200);
    const text = expect(stalled.body.text()).rejects.toThrow('aborted');
    controller.abort();
    await text;
    await eventually(() => emulator.requests[0]?.aborted === true);
  });

  it('closes all connections when it is closed', async () => {
    await start();
    emulator.failNext({ kind: 'hang' });
    const agent = client(allowH2);
    const hanging = expect(send(agent, { body: question })).rejects.toThrow();
    await eventually(() => emulator.requests.length === 1);
    await ask(client(allowH2), 'Hi');
    const silent = connect(Number(new URL(emulator.url).port), '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const silentClosed = once(silent, 'close');

    await emulator.close();
    await Promise.all([hanging, silentClosed]);
    expect(emulator.sockets.map(({ open }) => open)).toEqual([false, false]);
    expect(emulator.requests[0]?.aborted).toBe(false);
    expect(existsSync(emulator.certificatePath)).toBe(false);
    await expect(send(agent, { body: question })).rejects.toThrow();
  });

  it('produces queued faults once each, in order', async () => {
    await start();
    const agent = client(allowH2);
    const faults: [Fault, number, string][] = [
      [{ kind: 'status', status: 429, retryAfter: '7', retryAfterMs: '6500' }, 429, '"code":"429"'],
      [{ kind: 'status', status: 500, message: 'Broken.' }, 500, '"message":"Broken."'],
      [
        { kind: 'status', status: 400, code: 'context_length_exceeded' },
        400,
        '"code":"context_length_exceeded"',
      ],
      [{ kind: 'content_filter' }, 400, '"code":"content_filter"'],
      [{ kind: 'garbage' }, 200, '<html>'],
      [{ kind: 'empty' }, 200, ''],
      [{ kind: 'answer', content: null }, 200, '"content":null'],
      [{ kind: 'answer', content: 'Cut', finishReason: 'length' }, 200, '"finish_reason":"length"'],
    ];
    emulator.failNext(...faults.map(([fault]) => fault));
    for (const [fault, status, text] of faults) {
      const response = await send(agent, { body: question });
      const body = await response.body.text();
      expect([fault, response.statusCode]).toEqual([fault, status]);
      expect(body).toContain(text);
      if (fault.kind === 'empty') expect(body).toBe('');
      if (fault.kind === 'garbage') expect(() => JSON.parse(body) as unknown).toThrow();
      if (fault.kind === 'content_filter')
        expect(body).toContain('"innererror":{"code":"ResponsibleAIPolicyViolation"');
      if (status === 429)
        expect(response.headers).toMatchObject({ 'retry-after': '7', 'retry-after-ms': '6500' });
    }
    expect(await ask(agent, 'Hi')).toContain('Hello');
    expect(emulator.sockets).toHaveLength(1);
    expect(emulator.requests.map(({ status }) => status)).toEqual([
      ...faults.map(([, status]) => status),
      200,
    ]);
  });

  it('refuses invalid requests like Azure, and uses queued faults only for requests with the key', async () => {
    await start({ apiKey: 'secret' });
    emulator.failNext({ kind: 'status', status: 500 });
    const agent = client(allowH2);
    const refused: [Call, number, string][] = [
      [{ headers: { 'api-key': 'wrong' }, body: question }, 401, 'invalid subscription key'],
      [{ headers: { 'api-key': '', authorization: 'Bearer token' }, body: question }, 401, '"code":"401"'],
      [{ body: question }, 500, '"code":"500"'],
      [{ path: CHAT.split('?')[0]!, body: question }, 404, 'Resource not found'],
      [{ body: '{"messages":' }, 400, 'invalid_request_error'],
      [{ body: 'null' }, 400, 'invalid_request_error'],
      [{ body: {} }, 400, 'invalid_request_error'],
      [{ body: { messages: [null] } }, 400, 'invalid_request_error'],
    ];
    for (const [call, status, text] of refused) {
      const response = await send(agent, call);
      expect([call, response.statusCode]).toEqual([call, status]);
      expect(await response.body.text()).toContain(text);
    }
    expect(emulator.requests.map((seen) => seen.status)).toEqual(refused.map(([, status]) => status));
  });

  it('does not record a request that only opens a connection', async () => {
    await start();
    const agent = client(allowH2);
    const ahead = await request(emulator.url, { dispatcher: agent });
    expect(ahead.statusCode).toBe(404);
    expect(await ahead.body.json()).toMatchObject({ error: { message: 'Resource not found' } });
    const elsewhere = await send(agent, { path: '/openai/models' });
    expect(elsewhere.statusCode).toBe(404);
    await elsewhere.body.dump();
    expect(emulator.requests).toEqual([]);
    await ask(agent, 'Hi');
    expect(emulator.sockets).toEqual([{ id: 1, protocol, requests: 1, resumed: false, open: true }]);
  });
});

describe('the protocol', () => {
  it('is HTTP/1.1 for all clients when the server offers only HTTP/1.1', async () => {
    await start({ protocols: ['http/1.1'] });
    await ask(client(true), 'Hi');
    await ask(client(false), 'Hi');
    expect(emulator.sockets.map(({ protocol }) => protocol)).toEqual(['h1', 'h1']);
  });

  it('refuses HTTP/1.1 clients when the server offers only HTTP/2', async () => {
    await start({ protocols: ['h2'] });
    await expect(ask(client(false), 'Hi')).rejects.toThrow();
    await ask(client(true), 'Hi');
    expect(emulator.sockets).toMatchObject([{ id: 1, protocol: 'h2' }]);
  });

  it('never has more concurrent streams on a connection than allowed', async () => {
    await start({ maxConcurrentStreams: 2, latencyMs: 20 });
    const agent = client(true);
    await ask(agent, 'Hi');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => ask(agent, `Number ${index}`)),
    );
    expect(new Set(answers).size).toBe(10);
    expect(emulator.sockets).toMatchObject([{ requests: 11 }]);
  });
});

describe('the emulator', () => {
  it('is trusted by a Node process with NODE_EXTRA_CA_CERTS', async () => {
    await start();
    const script = `import { Agent, request } from 'undici';
      const response = await request(process.argv[1], { dispatcher: new Agent({ connect: { preferH2: true } }) });
      console.log(response.statusCode, (await response.body.json()).error.code);
      process.exit();`;
    const { stdout } = await runNode(['--input-type=module', '--eval', script, emulator.url], {
      cwd: root,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: emulator.certificatePath },
    });
    expect(stdout.trim()).toBe('404 404');
    expect(emulator.sockets).toMatchObject([{ protocol: 'h2' }]);
  });

  it('clears requests, faults and latency on reset, but keeps open connections', async () => {
    await start({ latencyMs: 1 });
    const agent = client(true);
    await ask(agent, 'Hi');
    emulator.failNext({ kind: 'hang' });
    emulator.latencyMs = 600_000;
    emulator.reset();
    expect(emulator.requests).toEqual([]);
    expect(await ask(agent, 'Hi')).toContain('Hello');
    expect(emulator.latencyMs).toBe(1);
    expect(emulator.sockets).toEqual([{ id: 1, protocol: 'h2', requests: 2, resumed: false, open: true }]);
  });

  it('rejects when its port is taken', async () => {
    await start();
    const port = Number(new URL(emulator.url).port);
    await expect(startEmulator({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('the model', () => {
  const conversations: [string[], string][] = [
    [['what is the capital of SPAIN?'], 'The capital of Spain is Madrid.'],
    [['What is the capital of France?', 'What about Spain?'], 'The capital of Spain is Madrid.'],
    [['What about Spain?'], 'What would you like to know about Spain?'],
    [['Hi there'], 'Hello! How can I help you today?'],
    [['Hello, my name is Zoë-Ann.'], 'Nice to meet you, Zoë-Ann.'],
    [['My name is Ada', 'Hi', 'What is my name?'], 'Your name is Ada.'],
    [["What's my name?"], 'You have not told me your name.'],
    [
      ['How far is the moon?', 'What was my last question?'],
      'Your last question was: "How far is the moon?"',
    ],
    [['What was my last question?'], 'This is your first question.'],
    [
      ['What is the capital of Atlantis?'],
      'I know only a few answers, and none to "What is the capital of Atlantis?". Ask me for a haiku, or about serverless computing.',
    ],
  ];
  it('answers known questions with their context, and marks other answers as emulated', async () => {
    await start();
    const agent = client(true);
    for (const [questions, answer] of conversations) expect(await ask(agent, ...questions)).toBe(answer);
    expect(await ask(agent, '😀'.repeat(100))).toContain(`"${'😀'.repeat(80)}…"`);
  });

  it('reads text in parts, and considers only user messages', async () => {
    await start();
    const parts = ['What is the capital ', 'of Italy?'].map((text) => ({ type: 'text', text }));
    const messages = [
      { role: 'system', content: 'My name is Bot.' },
      { role: 'user', content: parts },
      { role: 'assistant', content: null },
    ];
    const response = await send(client(true), { body: { messages } });
    expect(await response.body.text()).toContain('The capital of Italy is Rome.');
    expect(emulator.requests[0]?.messages[1]).toEqual({
      role: 'user',
      content: 'What is the capital of Italy?',
    });
  });
});

interface Chunk {
  id: string;
  choices: { delta: { content?: string } }[];
}
