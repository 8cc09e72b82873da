/** What agents of every maker are given over the Model Context Protocol: listed schemas, results, messages of errors. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ask, newQuestion } from '../support/app.ts';
import {
  connectClient,
  metricsOf,
  postMcp,
  responsesIn,
  type RpcResponse,
  textOf,
} from '../support/mcp-client.ts';
import { refusedIn } from '../support/tool-schema-rules.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { WEBSITE_AUTH_ENABLED: 'true', WEBSITE_HOSTNAME: 'ask.azurewebsites.net' } });

const PARIS = 'What is the capital of France?';
const user = (id: string = randomUUID()) => ({
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': 'aad',
});

/** Asks `count` questions in a new session. Returns its id. */
async function sessionOf(count: number, headers: Record<string, string> = {}): Promise<string> {
  const session_id = randomUUID();
  for (let index = 0; index < count; index++) await ask(app, { question: PARIS, session_id }, headers);
  return session_id;
}

describe('the listed tools', () => {
  it('have schemas that every provider of models accepts', async () => {
    const { tools } = await (await connectClient(app)).sdk.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['ask', 'read_session', 'forget_session', 'list_sessions']);
    expect(tools.flatMap((tool) => refusedIn(tool as Parameters<typeof refusedIn>[0]))).toEqual([]);
  });

  it('take less than 6,000 bytes', async () => {
    const response = await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'tools/list' });
    expect((await response.text()).length).toBeLessThan(6000);
  });

  it('accept null for an argument that is left out, as OpenAI’s strict mode sends it', async () => {
    const client = await connectClient(app);
    const { session_id } = await client.ask({ question: PARIS, session_id: null });
    const read = await client.call('read_session', { session_id, before: null });
    expect(read.structuredContent).toMatchObject({ interaction_count: 1 });
  });
});

describe('a result', () => {
  it('is short where the model reads it, and has the metrics in _meta', async () => {
    const client = await connectClient(app);
    await client.ask({ question: PARIS });
    const result = await client.call('ask', { question: PARIS });
    const { session_id } = result.structuredContent as { session_id: string };
    expect(JSON.stringify(result.structuredContent).length).toBeLessThan(400);
    expect(result.structuredContent).toEqual({
      answer: 'The capital of France is Paris.',
      session_id,
      finish_reason: 'stop',
      cached: true,
    });
    expect(textOf(result)).toBe(`The capital of France is Paris.\nsession_id: ${session_id}; cached: true`);
    expect(metricsOf(result)).toMatchObject({ from_cache: true });
  });

  it('says in its text how to read the older page', async () => {
    const client = await connectClient(app);
    const session_id = await sessionOf(51);
    const newest = await client.call('read_session', { session_id });
    const [, before] = /There is an older page: before=(\S+)$/.exec(textOf(newest)) ?? [];
    expect(newest.structuredContent).toMatchObject({ next: before });
    const oldest = await client.call('read_session', { session_id, before });
    expect(textOf(oldest)).toContain('This page shows 1 of them.');
    expect(textOf(oldest)).not.toContain('older page');
  });
});

describe('a signed-in user', () => {
  it('lists the sessions, newest first, as a tool and as resources, and no one else’s', async () => {
    const ada = user();
    const client = await connectClient(app, 'auto', ada);
    const first = await sessionOf(1, ada);
    const second = await sessionOf(1, ada);
    await sessionOf(1, user());
    const result = await client.call('list_sessions', {});
    expect(result.structuredContent).toMatchObject({
      sessions: [
        { session_id: second, title: PARIS },
        { session_id: first, title: PARIS },
      ],
    });
    expect(textOf(result)).toContain(`- ${second} (`);
    const { resources } = await client.sdk.listResources();
    expect(resources.map(({ uri, title }) => [uri, title])).toEqual([
      [`session://${second}`, PARIS],
      [`session://${first}`, PARIS],
    ]);
  });

  it('completes the id of a session', async () => {
    const ada = user();
    const session_id = await sessionOf(1, ada);
    const completion = {
      ref: { type: 'ref/resource' as const, uri: 'session://{session_id}' },
      argument: { name: 'session_id', value: session_id.slice(0, 4) },
    };
    const { sdk } = await connectClient(app, 'auto', ada);
    // The list of a user's sessions is written after the answer.
    await expect.poll(async () => (await sdk.complete(completion)).completion.values).toEqual([session_id]);
    const ofBob = await (await connectClient(app, 'legacy', user())).sdk.complete(completion);
    expect(ofBob.completion.values).toEqual([]);
  });

  it('is needed for the list, which the error says in words of tools', async () => {
    const client = await connectClient(app);
    const result = await client.call('list_sessions', {});
    expect([result.isError, textOf(result)]).toEqual([
      true,
      'Sign in to list your sessions. "read_session" reads a single session without signing in. (code: not_signed_in)',
    ]);
    expect((await client.sdk.listResources()).resources).toEqual([]);
  });

  it('who is not identified gets a 401 that says where to sign in', async () => {
    const headers = { 'x-ms-client-principal': 'x' };
    const response = await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'ping' }, headers);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer resource_metadata="https://ask.azurewebsites.net/.well-known/oauth-protected-resource"',
    ]);
  });
});

describe('a caller’s mistake', () => {
  it.each([
    ['resources/read', {}, 'params.uri'],
    ['prompts/get', {}, 'params.name'],
    ['tools/list', { cursor: 7 }, 'params.cursor'],
    ['completion/complete', { ref: {} }, 'params.ref'],
  ])('in %s is an error of parameters, which it names', async (method, params, name) => {
    const [answer] = await responsesIn(await postMcp(app, { jsonrpc: '2.0', id: 1, method, params }));
    expect(answer?.error?.code).toBe(-32_602);
    expect(answer?.error?.message).toContain(name);
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ['JSON', '{', {}, /Send JSON such as \{"jsonrpc": "2.0"/],
    ['the content type', '{}', { 'Content-Type': 'text/plain' }, /^Send the message as JSON/],
    ['the size', JSON.stringify('x'.repeat(300_000)), {}, /Send a shorter message\.$/],
  ])('in %s gets a message that speaks of messages', async (_, body, headers, text) => {
    const answer = (await (await postMcp(app, body, headers)).json()) as RpcResponse;
    expect(answer.error?.message).toMatch(text);
  });

  it('of a conversation that is too long gets advice that a tool can follow', async () => {
    app.emulator.fault = { kind: 'context_length' };
    const result = await (await connectClient(app)).call('ask', { question: newQuestion() });
    expect(textOf(result)).toMatch(
      /leave out "session_id" to begin a new session\. \(code: conversation_too_long/,
    );
  });
});
