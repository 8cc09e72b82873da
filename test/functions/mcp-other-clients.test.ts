/** Clients of the Model Context Protocol of other makers: LangChain's adapters, over the official SDK, and Vercel's AI SDK. */
import { randomUUID } from 'node:crypto';
import { createMCPClient } from '@ai-sdk/mcp';
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ enableAuth: true, env: { FINISH_ABANDONED: 'off' } });

const TOOLS = ['ask', 'read_session', 'forget_session'];
const key = () => ({ 'x-functions-key': app.host.functionKey });

/** Calls a tool. Returns what the client gives to its model, as JSON. */
type Call = (name: string, args: Record<string, unknown>, signal?: AbortSignal) => Promise<string>;

async function langChain(): Promise<Call> {
  const client = new MultiServerMCPClient({
    mcpServers: { ask: { url: `${app.url}/mcp`, transport: 'http', headers: key() } },
  });
  onTestFinished(() => client.close());
  const tools = await client.getTools();
  expect(tools.map(({ name }) => name)).toEqual(TOOLS);
  return async (name, args, signal) => {
    const tool = tools.find((each) => each.name === name);
    return JSON.stringify(await tool?.invoke(args, { ...(signal && { signal }) }));
  };
}

async function aiSdk(): Promise<Call> {
  const client = await createMCPClient({
    transport: { type: 'http', url: `${app.url}/mcp`, headers: key() },
  });
  onTestFinished(() => client.close());
  const tools = await client.tools();
  expect(Object.keys(tools)).toEqual(TOOLS);
  return async (name, args, abortSignal) => {
    const options = { toolCallId: '1', messages: [], context: {}, ...(abortSignal && { abortSignal }) };
    return JSON.stringify(await tools[name]?.execute(args, options));
  };
}

/** Asks 51 questions in a session, one more than a page has. Returns its id. */
async function longSession(): Promise<string> {
  const session_id = randomUUID();
  const first = 'My name is Zelda.';
  await ask(app, { question: first, session_id }, key());
  const question = 'What is the capital of France?';
  for (let index = 0; index < 50; index++) await ask(app, { question, session_id }, key());
  return session_id;
}

describe.each<[string, () => Promise<Call>]>([
  ['LangChain’s adapters', langChain],
  ['the AI SDK', aiSdk],
])('%s', (_, connect) => {
  it('list the tools, ask with the key in a header, and follow up', async () => {
    const call = await connect();
    const first = await call('ask', { question: 'What is the capital of France?' });
    expect(first).toContain('Paris');
    // As a model does that reads the text.
    const [, session_id] = /session_id: ([\da-f-]{36}); cached: (?:true|false)/.exec(first) ?? [];
    expect(await call('ask', { question: 'What about Spain?', session_id })).toContain('Madrid');
  });

  it('read a session page by page', async () => {
    const call = await connect();
    const session_id = await longSession();
    const newest = await call('read_session', { session_id });
    expect(newest).not.toContain('Zelda');
    const [, before] = /There is an older page: before=([\w-]+)/.exec(newest) ?? [];
    expect(await call('read_session', { session_id, before })).toContain('Zelda');
  });

  it('end the model call when they cancel', async () => {
    const call = await connect();
    app.emulator.fault = { kind: 'hang' };
    const cancel = new AbortController();
    const asking = call('ask', { question: newQuestion() }, cancel.signal);
    const rejection = expect(asking).rejects.toThrow();
    await eventually(() => app.emulator.requests.length === 1);
    cancel.abort();
    await rejection;
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });
});

it('LangChain’s adapters throw the error of a tool with its code', async () => {
  const call = await langChain();
  app.emulator.failNext({ kind: 'content_filter' });
  await expect(call('ask', { question: newQuestion() })).rejects.toThrow('code: content_filtered');
});

it('the AI SDK reads the session as a resource, and gets the prompt', async () => {
  const client = await createMCPClient({
    // Clients without a field for headers have the key in the address.
    transport: { type: 'http', url: `${app.url}/mcp?code=${encodeURIComponent(app.host.functionKey)}` },
  });
  onTestFinished(() => client.close());
  const { session_id } = await ask(app, { question: 'What is the capital of France?' }, key());
  expect(JSON.stringify(await client.readResource({ uri: `session://${session_id}` }))).toContain('Paris');
  const prompt = await client.experimental_getPrompt({
    name: 'explore_topic',
    arguments: { topic: 'pools' },
  });
  expect(JSON.stringify(prompt)).toContain('pools');
});

it('without the key, a client is refused', async () => {
  await expect(createMCPClient({ transport: { type: 'http', url: `${app.url}/mcp` } })).rejects.toThrow();
});
