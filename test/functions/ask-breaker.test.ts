/** When an endpoint is left alone, when not, and how it is found to be back: what many questions at once meet. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, type AppOptions, eventually, startApp, type TestApp } from '../support/app.ts';
import { streamFrom } from '../support/streamed.ts';

let app: TestApp;
const start = async (options?: AppOptions): Promise<void> => {
  app = await startApp(options);
};
afterEach(() => app.stop());

/** Unlike any before, so that no cache answers. */
const newQuestion = (): string => `Question ${randomUUID()}`;
const failure: Fault = { kind: 'status', status: 500 };
/** For so long an endpoint is left alone. */
const OPEN_MS = 10_000;

/** Lets the endpoint fail five times, and waits until it may be tried again. */
async function openAndWait(): Promise<void> {
  app.emulator.fault = failure;
  for (const code of ['model_unavailable', 'model_unavailable', 'circuit_open']) {
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe(code);
  }
  app.emulator.fault = undefined;
  await delay(OPEN_MS);
}

describe.each(['h2', 'http/1.1'] as const)('a connection that breaks over %s', (protocol) => {
  it('with many questions on it is one failure, and each of them is answered on another', async () => {
    await start({ emulator: { protocols: [protocol], latencyMs: 300 } });
    const first = ask(app, { question: newQuestion() });
    await first;
    app.emulator.reset();
    // All are under way when the first of them takes its connection down.
    app.emulator.failNext({ kind: 'lose_connection' });
    const answers = await Promise.all(
      Array.from({ length: 21 }, () => ask(app, { question: newQuestion() })),
    );
    const attempts = answers.map(({ performance_metrics: metrics }) => metrics.connection?.attempts);
    expect(Math.max(...attempts.map((each) => each ?? 0))).toBe(2);
    if (protocol === 'h2') expect(attempts.every((each) => each === 2)).toBe(true);
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    expect(app.output()).not.toContain('circuit breaker is open');
  });
});

it('one restart of the endpoint, with all connections refused for a moment, is one failure', async () => {
  await start({ emulator: { latencyMs: 300 } });
  await ask(app, { question: newQuestion() });
  const asking = Array.from({ length: 10 }, () => ask(app, { question: newQuestion() }));
  await eventually(() => app.emulator.requests.length === 11);
  await app.emulator.pause(200);
  const answers = await Promise.all(asking);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 'success'));
  expect(app.output()).not.toContain('circuit breaker is open');
});

describe('an endpoint that may be tried again', () => {
  it('is asked by a few questions at once: a slow one shuts nobody out', async () => {
    await start();
    await openAndWait();
    app.emulator.latencyMs = 2000;
    const slow = ask(app, { question: newQuestion() });
    await eventually(() => app.emulator.requests.length === 6);
    app.emulator.latencyMs = 0;
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    // Its answer was a sign of health: now all may ask, while the slow one still waits.
    const others = await Promise.all(Array.from({ length: 10 }, () => ask(app, { question: newQuestion() })));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 'success'));
    expect((await slow).status).toBe('success');
  });

  it('is healthy as soon as a stream begins', async () => {
    await start();
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

  it('is left alone again when the first of them fails, and no longer for the others', async () => {
    await start();
    await openAndWait();
    app.emulator.fault = failure;
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_unavailable');
    const closed = await askForError(app, { question: newQuestion() });
    expect([closed.status, closed.body.error.code]).toEqual([503, 'circuit_open']);
    expect(Number(closed.headers.get('retry-after'))).toBeGreaterThan(8);
  });
});

it('an answer lifts the limit of an earlier 429: what fails after it is tried again', async () => {
  await start();
  app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '200' });
  expect((await askForError(app, { question: newQuestion() })).status).toBe(429);
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  app.emulator.failNext(failure);
  const { connection } = (await ask(app, { question: newQuestion() })).performance_metrics;
  expect(connection?.attempts).toBe(2);
});
