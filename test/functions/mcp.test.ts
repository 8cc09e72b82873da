/** The Model Context Protocol, with the clients of the official SDK. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addressOf, follow, followed, stateOf } from '../support/answers.ts';
import { ask, eventually, newQuestion, startApp } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { CLIENTS, connectClient, textOf } from '../support/mcp-client.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp();

describe.each(sampled(Object.entries(CLIENTS)))('%s', (name, connect) => {
  it('negotiates the revision', async () => {
    const client = await connect(app);
    expect(client.protocolVersion).toBe(/\d{4}-\d\d-\d\d$/.exec(name)?.[0]);
  });

  it('lists the tools with their schemas and annotations', async () => {
    const { sdk } = await connect(app);
    const { tools } = await sdk.listTools();
    expect(tools.map(({ name: tool, annotations }) => [tool, annotations])).toEqual([
      ['ask', { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true }],
      ['read_session', { readOnlyHint: true, openWorldHint: false }],
      [
        'forget_session',
        { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      ],
    ]);
    const [askTool] = tools;
    expect(Object.keys(askTool?.inputSchema.properties ?? {})).toEqual([
      'question',
      'session_id',
      'idempotency_key',
    ]);
    expect(askTool?.inputSchema.required).toEqual(['question']);
    expect(Object.keys(askTool?.outputSchema?.['properties'] ?? {})).toEqual([
      'answer',
      'session_id',
      'finish_reason',
      'cached',
      'stale',
      'stopped',
    ]);
  });

  it('asks, follows up, and gets the same question in the same conversation from the cache', async () => {
    const client = await connect(app);
    const first = await client.ask({ question: 'What is the capital of France?' });
    expect(first.answer).toBe('The capital of France is Paris.');
    const second = await client.ask({ question: 'What about Spain?', session_id: first.session_id });
    expect(second.answer).toBe('The capital of Spain is Madrid.');
    expect(second.session_id).toBe(first.session_id);
    expect(second.performance_metrics.history_saved).toBe(true);

    const question = newQuestion();
    expect((await client.ask({ question })).cached).toBe(false);
    const again = await client.ask({ question });
    expect(again.cached).toBe(true);
    app.emulator.failNext({ kind: 'answer', content: 'The capital of', finishReason: 'length' });
    expect((await client.ask({ question: newQuestion() })).finish_reason).toBe('length');
    expect(again.performance_metrics.cache).toMatchObject({ result: 'hit', tier: 'memory' });
  });

  it('shares sessions with the HTTP API, and gives the session as text too', async () => {
    const client = await connect(app);
    const sessionId = randomUUID();
    await ask(app, { question: 'What is the capital of France?', session_id: sessionId });
    const result = await client.call('ask', { question: 'What about Italy?', session_id: sessionId });
    expect(result.content.map(({ text }) => text)).toEqual([
      'The capital of Italy is Rome.',
      // Another client may have asked the same before.
      expect.stringMatching(`^session_id: ${sessionId}; cached: (true|false)$`),
    ]);
    const over = await fetch(`${app.url}/sessions/${sessionId}`);
    expect(await over.json()).toMatchObject({ interaction_count: 2 });
  });

  it('cannot delete chat history by asking, so that hosts need not confirm each question', async () => {
    const client = await connect(app);
    const { session_id } = await client.ask({ question: 'What is the capital of France?' });
    await client.ask({ question: newQuestion(), session_id, new_conversation: true });
    const read = await client.call('read_session', { session_id });
    expect(read.structuredContent).toMatchObject({ interaction_count: 2 });
  });

  it('gets the tokens as progress', async () => {
    const client = await connect(app);
    app.emulator.failNext({ kind: 'answer', content: 'one two three four' });
    app.emulator.tokenDelayMs = 100;
    const progress: { progress: number; message?: string }[] = [];
    const { answer } = await client.ask(
      { question: newQuestion() },
      { onprogress: (each) => void progress.push(each) },
    );
    expect(answer).toBe('one two three four');
    expect(progress.map(({ message }) => message).join('')).toBe(answer);
    expect(progress.length).toBeGreaterThan(1);
    const values = progress.map((each) => each.progress);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values.at(-1)).toBe(answer.length);
  });

  it('reads and forgets a session', async () => {
    const client = await connect(app);
    const { session_id } = await client.ask({ question: 'What is the capital of France?' });
    const read = await client.call('read_session', { session_id });
    expect(read.structuredContent).toMatchObject({
      session_id,
      interaction_count: 1,
      chat_history: [
        { role: 'human', content: 'What is the capital of France?' },
        { role: 'ai', content: 'The capital of France is Paris.' },
      ],
    });
    expect(read.structuredContent).not.toHaveProperty('next');
    expect(textOf(read)).toContain('## Answer\n\nThe capital of France is Paris.');
    expect((await client.call('forget_session', { session_id })).structuredContent).toEqual({
      session_id,
      forgotten: true,
    });
    const gone = await client.call('read_session', { session_id });
    expect(gone.isError).toBe(true);
    expect(textOf(gone)).toContain('code: session_not_found');
  });

  it('reads a session as a resource, whatever its id is', async () => {
    const { ask: askTool, sdk } = await connect(app);
    const { resourceTemplates } = await sdk.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(['session://{session_id}']);
    expect((await sdk.listResources()).resources).toEqual([]);
    for (const session_id of [randomUUID(), `Tour/1?é #%[${randomUUID()}]`]) {
      await askTool({ question: 'What is the capital of France?', session_id });
      const uri = `session://${encodeURIComponent(session_id)}`;
      const { contents } = await sdk.readResource({ uri });
      expect(contents).toHaveLength(1);
      expect(contents[0]).toMatchObject({ mimeType: 'text/markdown' });
      expect(contents[0]).toHaveProperty(
        'text',
        expect.stringMatching(/^# Session .*\n\n1 interaction, from .*\n\n## Question\n\nWhat is/),
      );
      expect(JSON.stringify(contents)).toContain(session_id);
    }
    await expect(sdk.readResource({ uri: `session://${randomUUID()}` })).rejects.toMatchObject({
      code: -32_602,
    });
    await expect(sdk.readResource({ uri: 'session://%ff' })).rejects.toMatchObject({ code: -32_602 });
    await expect(sdk.readResource({ uri: 'file:///etc/passwd' })).rejects.toMatchObject({ code: -32_602 });
  });

  it('gets a prompt that names the topic', async () => {
    const { sdk } = await connect(app);
    expect((await sdk.listPrompts()).prompts).toMatchObject([
      { name: 'explore_topic', arguments: [{ name: 'topic', required: true }] },
    ]);
    const { messages } = await sdk.getPrompt({
      name: 'explore_topic',
      arguments: { topic: 'connection pools' },
    });
    expect(JSON.stringify(messages)).toContain('connection pools');
    await expect(sdk.getPrompt({ name: 'explore_topic' })).rejects.toThrow('topic: is missing');
  });

  it('ends the model call when it cancels, and can ask again', async () => {
    const finishing = await startApp({ env: { FINISH_ABANDONED: 'off' } });
    onTestFinished(async () => void (await finishing.stop()));
    const client = await connect(finishing);
    const cancel = new AbortController();
    finishing.emulator.failNext({ kind: 'hang' });
    const asking = client.ask({ question: newQuestion() }, { signal: cancel.signal, onprogress: () => {} });
    const rejection = expect(asking).rejects.toThrow();
    await eventually(() => finishing.emulator.requests.length === 1);
    cancel.abort();
    await rejection;
    await eventually(() => finishing.emulator.requests[0]?.aborted === true);
    // By revision 2026-07-28 a call is cancelled by leaving.
    const outcome = name.includes('2026-07-28') ? 'left' : 'stopped';
    await eventually(() => finishing.output().includes(`"event":"question","outcome":"${outcome}"`));
    expect(finishing.output()).toMatch(/"method":"tools\/call","target":"ask","outcome":"left"/);
    expect((await client.ask({ question: 'What is the capital of France?' })).answer).toContain('Paris');
    expect(finishing.output()).not.toMatch(/internal_error|\n\s+at /);
  });
});

it('a question with a key is answered once, and is stopped by cancelling its call', async () => {
  const client = await connectClient(app);
  const session_id = randomUUID();
  const keyed = { question: newQuestion(), session_id, idempotency_key: 'k 1' };
  const first = await client.ask(keyed);
  expect((await client.ask(keyed)).answer).toBe(first.answer);
  expect(app.emulator.requests).toHaveLength(1);

  const content = 'one two three '.repeat(40);
  app.emulator.tokenDelayMs = 20;
  app.emulator.failNext({ kind: 'answer', content });
  const cancel = new AbortController();
  const asking = client.ask({ ...keyed, idempotency_key: 'k 2' }, { signal: cancel.signal });
  const rejection = expect(asking).rejects.toThrow();
  const address = { session_id, key: 'k 2' };
  await eventually(async () => (await fetch(addressOf(app, address))).status === 200);
  await followed(await follow(app, address), ({ text }) => text !== '');
  cancel.abort();
  await rejection;
  await eventually(async () => (await stateOf(app, address)).state === 'stopped');
  const { answer = '' } = await stateOf(app, address);
  expect(answer !== '' && content.startsWith(answer) && answer.length < content.length).toBe(true);
  expect(app.emulator.requests.at(-1)?.aborted).toBe(true);
});

it.each([
  [{ idempotency_key: 'k' }, 'session_id'],
  [{ idempotency_key: 'a%2Fb', session_id: 's' }, 'idempotency_key'],
])('a key that cannot be used is refused: %j', async (fields, named) => {
  const client = await connectClient(app);
  await expect(client.ask({ question: 'q', ...fields })).rejects.toThrow(named);
});

it('is a cold start once in a process, whichever way the first question comes', async () => {
  const fresh = await startApp();
  try {
    const client = await connectClient(fresh);
    await client.sdk.listTools();
    expect((await client.ask({ question: newQuestion() })).performance_metrics.cold_start).toBe(true);
    expect((await client.ask({ question: newQuestion() })).performance_metrics.cold_start).toBe(false);
    expect((await ask(fresh, { question: newQuestion() })).performance_metrics.cold_start).toBe(false);
  } finally {
    await fresh.stop();
  }
});
