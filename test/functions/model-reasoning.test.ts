/** Reasoning models are silent for long: what cuts a call off, and what does not. */
import { describe, expect, it } from 'vitest';
import { ask, askForError, type AppOptions, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { streamFrom } from '../support/streamed.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

/** Little longer than the model thinks. */
const TIMEOUT_SECONDS = '8';

const WAYS = [
  ['chat', 'h2'],
  ['chat', 'http/1.1'],
  ['responses', 'h2'],
] as const;

describe.each(sampled(WAYS))('a reasoning model, MODEL_API=%s over %s', (api, protocol) => {
  const start = async (env: AppOptions['env'] = {}): Promise<void> => {
    await app.start({
      emulator: {
        protocols: [protocol],
        deployments: ['gpt-4o', 'my-gpt-5-mini'],
        reasoning: { thinkMs: 6000, tokens: 64 },
      },
      env: { MODEL_API: api, REQUEST_TIMEOUT_SECONDS: TIMEOUT_SECONDS, ...env },
    });
  };

  it('has all the time there is, plain and streamed, and its reasoning is not shown', async () => {
    await start();
    const question = newQuestion();
    const [plain, streamed] = await Promise.all([
      ask(app, { question }),
      streamFrom(app, { question: newQuestion() }),
    ]);
    expect(plain.performance_metrics.connection?.attempts).toBe(1);
    expect(plain.performance_metrics.tokens.reasoning).toBe(64);
    expect(streamed.names).toEqual(['session', 'token', 'done']);
    expect(streamed.done?.performance_metrics.connection?.attempts).toBe(1);
    expect(streamed.tokens.join('')).not.toContain('Thinking');
  });

  it('still ends at the deadline', { tags: ['long'] }, async () => {
    await start();
    app.emulator.latencyMs = 4000;
    const late = await askForError(app, { question: newQuestion() });
    expect([late.status, late.body.error.code]).toEqual([504, 'timeout']);
    expect(app.emulator.requests).toHaveLength(1);
  });
});
