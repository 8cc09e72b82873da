/** The app in front of OpenAI-compatible servers that nobody here wrote. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ask, askForError, eventually, newQuestion } from '../support/app.ts';
import { SLOW_QUESTION, startAimock, startMockLlm, type Stranger, watch } from '../support/strangers.ts';
import { streamFrom } from '../support/streamed.ts';
import { optionsFor } from '../support/other-server.ts';
import { useApp, useRunning } from '../support/fixture.ts';

const DOWNLOAD_MS = 300_000;

function describeStranger(start: () => Promise<Stranger>, tokensOfParis: number): void {
  const stranger = useRunning(start, { stop: (running) => running.stop(), timeoutMs: DOWNLOAD_MS });
  const watched = useRunning(() => watch(stranger.url), { stop: ({ stop }) => stop() });
  const app = useApp(() =>
    optionsFor(stranger, { AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o', FINISH_ABANDONED: 'off' }),
  );

  it('answers, follows up, starts over, and caches', async () => {
    const session_id = randomUUID();
    const first = await ask(app, { question: 'What is the capital of France?', session_id });
    const next = await ask(app, { question: 'What about Spain?', session_id });
    const fresh = await ask(app, { question: 'What about Spain?', session_id, new_conversation: true });
    const cached = await ask(app, { question: 'What is the capital of France?' });
    expect([first.answer, next.answer]).toEqual([
      'The capital of France is Paris.',
      'The capital of Spain is Madrid.',
    ]);
    expect(fresh.answer).not.toContain('Madrid');
    expect(fresh.chat_history).toHaveLength(2);
    expect(next.performance_metrics).toMatchObject({
      from_cache: false,
      connection_reused: true,
      connection: { protocol: 'h1', id: 1, attempts: 1 },
    });
    expect(first.performance_metrics.tokens.completion).toBe(tokensOfParis);
    expect(cached.performance_metrics).toMatchObject({ from_cache: true, api_call_time: 0 });
    expect(cached.answer).toBe(first.answer);
    expect(watched.seen.map(({ path }) => path)).toEqual(Array(3).fill('/v1/chat/completions'));
  });

  it('streams, and keeps what it has streamed', async () => {
    const session_id = randomUUID();
    await ask(app, { question: 'What is the capital of France?', session_id });
    const headers = { 'Cache-Control': 'no-cache' };
    const { tokens, done } = await streamFrom(
      app,
      { question: 'What about Spain?', session_id },
      { headers },
    );
    expect(tokens.join('')).toBe('The capital of Spain is Madrid.');
    expect(done?.chat_history).toHaveLength(4);
  });

  it.each([false, true])('tries again after its 500 (streamed: %s)', async (streamed) => {
    await stranger.failNext({ status: 500, code: 'server_error', message: 'The server had an error.' });
    const question = newQuestion();
    const answer = streamed ? (await streamFrom(app, { question })).done : await ask(app, { question });
    expect(answer?.answer).toContain(question);
    expect(answer?.performance_metrics.connection?.attempts).toBe(2);
  });

  it.each([
    [401, 'invalid_api_key', 502, 'model_misconfigured'],
    [404, 'model_not_found', 502, 'model_misconfigured'],
    [400, 'context_length_exceeded', 413, 'conversation_too_long'],
    [400, 'content_filter', 422, 'content_filtered'],
  ])('explains its %i %s as %i %s', async (status, code, expectedStatus, expectedCode) => {
    const before = watched.seen.length;
    await stranger.failNext({ status, code, message: 'Words of the server.' });
    const failed = await askForError(app, { question: newQuestion() });
    expect([failed.status, failed.body.error.code]).toEqual([expectedStatus, expectedCode]);
    expect(JSON.stringify(failed.body)).not.toContain('Words of the server');
    expect(posts(before)).toHaveLength(1);
  });

  it('gives its text as it comes, and is left alone as soon as nobody needs the rest', async () => {
    const before = watched.seen.length;
    await streamFrom(app, { question: SLOW_QUESTION }, { onToken: () => false });
    await eventually(() => posts(before).some(({ closedByClient }) => closedByClient));
    expect(posts(before)).toHaveLength(1);
  });

  /** The requests for completions since a moment: mock-llm is configured by requests too. */
  const posts = (before: number) =>
    watched.seen.slice(before).filter(({ path }) => path.startsWith('/v1/chat'));
}

describe('@copilotkit/aimock', () => {
  describeStranger(startAimock, 8);
});

// It is not in package.json, because it brings 40 MB: npm downloads it in full runs.
describe('@dwmkerr/mock-llm', { tags: ['long'] }, () => {
  describeStranger(startMockLlm, 0);
});
