/** Clients of the Model Context Protocol other than the official SDK: LangChain's adapters, and an implementation of its own. */
import { createMCPClient } from '@ai-sdk/mcp';
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { newQuestion, startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ enableAuth: true });
});
afterAll(() => app.stop());

it('LangChain’s adapters load the tools, ask with the key in a header, and follow up', async () => {
  const client = new MultiServerMCPClient({
    mcpServers: {
      ask: { url: `${app.url}/mcp`, transport: 'http', headers: { 'x-functions-key': app.host.functionKey } },
    },
  });
  onTestFinished(() => client.close());
  const tools = await client.getTools();
  expect(tools.map(({ name }) => name)).toEqual(['ask', 'read_session', 'forget_session']);
  const askTool = tools.find(({ name }) => name === 'ask');
  const first = JSON.stringify(await askTool?.invoke({ question: 'What is the capital of France?' }));
  expect(first).toContain('Paris');
  const [, session_id] = /session_id: ([\da-f-]{36})/.exec(first) ?? [];
  expect(JSON.stringify(await askTool?.invoke({ question: 'What about Spain?', session_id }))).toContain(
    'Madrid',
  );
  app.emulator.failNext({ kind: 'content_filter' });
  await expect(askTool?.invoke({ question: newQuestion() })).rejects.toThrow('code: content_filtered');
});

it('the client of another maker lists, asks, reads the session and gets the prompt', async () => {
  const client = await createMCPClient({
    transport: {
      type: 'http',
      url: `${app.url}/mcp`,
      headers: { 'x-functions-key': app.host.functionKey },
    },
  });
  onTestFinished(() => client.close());
  const tools = await client.tools();
  expect(Object.keys(tools)).toEqual(['ask', 'read_session', 'forget_session']);
  const question = newQuestion();
  const result = (await tools['ask']?.execute(
    { question },
    { toolCallId: '1', messages: [], context: {} },
  )) as {
    structuredContent: { answer: string; session_id: string };
  };
  expect(result.structuredContent.answer).not.toBe('');
  const uri = `session://${result.structuredContent.session_id}`;
  expect(JSON.stringify(await client.readResource({ uri }))).toContain(question);
  expect(
    JSON.stringify(
      await client.experimental_getPrompt({ name: 'explore_topic', arguments: { topic: 'pools' } }),
    ),
  ).toContain('pools');
});

it('without the key, a client is refused', async () => {
  await expect(createMCPClient({ transport: { type: 'http', url: `${app.url}/mcp` } })).rejects.toThrow();
});
