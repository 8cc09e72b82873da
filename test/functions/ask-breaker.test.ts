/** The circuit breaker under concurrent questions: when it opens, and how it closes again. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, eventually, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { streamFrom } from '../support/streamed.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

const failure: Fault = { kind: 'status', status: 500 };
/** How long the circuit breaker stays open. */
const OPEN_MS = 10_000;

/** Opens the circuit breaker with five failures, and waits until it is half-open. */
async function openAndWait(): Promise<void> {
  app.emulator.fault = failure;
  for (const code of ['model_unavailable', 'model_unavailable', 'circuit_open']) {
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe(code);
  }
  app.emulator.fault = undefined;
  await delay(OPEN_MS);
}

describe.each(sampled(['h2', 'http/1.1'] as const))('a connection that breaks over %s', (protocol) => {
  it(
    'counts as one failure, and each question in flight is answered on a new connection',
    { tags: ['long'] },
    async () => {
      await app.start({ emulator: { protocols: [protocol], latencyMs: 2000 } });
      const first = ask(app, { question: newQuestion() });
      await first;
      app.emulator.reset();
      // All questions are in flight when the first one breaks the connection.
      app.emulator.failNext({ kind: 'lose_connection' });
      const answers = await Promise.all(
        Array.from({ length: 21 }, () => ask(app, { question: newQuestion() })),
      );
      const attempts = answers.map(({ performance_metrics: metrics }) => metrics.connection?.attempts);
      expect(Math.max(...attempts.map((each) => each ?? 0))).toBe(2);
      if (protocol === 'h2') expect(attempts.every((each) => each === 2)).toBe(true);
      expect((await ask(app, { question: newQuestion() })).status).toBe('success');
      expect(app.output()).not.toContain('circuit breaker is open');
    },
  );
});

it('a restart of the endpoint, which refuses all connections for a moment, counts as one failure', async () => {
  await app.start({ emulator: { latencyMs: 300 } });
  await ask(app, { question: newQuestion() });
  const asking = Array.from({ length: 10 }, () => ask(app, { question: newQuestion() }));
  await eventually(() => app.emulator.requests.length === 11);
  await app.emulator.pause(200);
  const answers = await Promise.all(asking);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 'success'));
  expect(app.output()).not.toContain('circuit breaker is open');
});

describe('a half-open circuit breaker', { tags: ['long'] }, () => {
  it('lets a few questions through at once: a slow one does not block the others', async () => {
    await app.start();
    await openAndWait();
    app.emulator.latencyMs = 2000;
    const slow = ask(app, { question: newQuestion() });
    await eventually(() => app.emulator.requests.length === 6);
    app.emulator.latencyMs = 0;
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    // The first answer closed the circuit breaker: all questions pass, while the slow one is still waiting.
    const others = await Promise.all(Array.from({ length: 10 }, () => ask(app, { question: newQuestion() })));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 'success'));
    expect((await slow).status).toBe('success');
  });

  it('closes as soon as a stream begins', async () => {
    await app.start();
    await openAndWait();
    app.emulator.tokenDelayMs = 300;
    let begun = false;
    const slow = streamFrom(app, { question: newQuestion() }, { onToken: () => (begun = true) });
    await eventually(() => begun);
    app.emulator.tokenDelayMs = 0;
    const others = await Promise.all(Array.from({ length: 10 }, () => ask(app, { question: newQuestion() })));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 'success'));
    expect((await slow).done?.status).toBe('success');
  });

  it('opens again when the first question fails; failures of the others do not extend the time', async () => {
    await app.start();
    await openAndWait();
    app.emulator.fault = failure;
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_unavailable');
    const closed = await askForError(app, { question: newQuestion() });
    expect([closed.status, closed.body.error.code]).toEqual([503, 'circuit_open']);
    expect(Number(closed.headers.get('retry-after'))).toBeGreaterThan(5);
  });
});

it('an answer ends the rate limit of an earlier 429: a later failure is retried', async () => {
  await app.start();
  app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '200' });
  expect((await askForError(app, { question: newQuestion() })).status).toBe(429);
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  app.emulator.failNext(failure);
  const { connection } = (await ask(app, { question: newQuestion() })).performance_metrics;
  expect(connection?.attempts).toBe(2);
});
