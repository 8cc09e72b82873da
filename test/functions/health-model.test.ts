/** The model in /health/ready and in the statistics: failures of the model count, invalid questions do not. */
import { expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, eventually, newQuestion } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

interface Readiness {
  status: string;
  error?: { code: string };
  checks: { model: string };
  totals: { model_calls: number };
}
const ready = async (): Promise<{ status: number; body: Readiness }> => {
  const response = await fetch(`${app.url}/health/ready`);
  return { status: response.status, body: (await response.json()) as Readiness };
};
const modelCheck = async (): Promise<string> => (await ready()).body.checks.model;

it('a refused question does not affect the state of the model', { tags: ['long'] }, async () => {
  await app.start({ env: { MODEL_MAX_CONCURRENCY: '1' } });
  await ask(app, { question: newQuestion() });
  const refusals: Fault[] = [
    { kind: 'content_filter' },
    { kind: 'context_length' },
    { kind: 'answer', content: '', finishReason: 'length' },
  ];
  for (const fault of refusals) {
    app.emulator.failNext(fault);
    await askForError(app, { question: newQuestion() });
    expect([fault.kind, await modelCheck()]).toEqual([fault.kind, 'ok']);
  }
  // One is in flight, one waits, and one is refused.
  app.emulator.latencyMs = 3000;
  const three = await Promise.all([1, 2, 3].map(() => askForError(app, { question: newQuestion() })));
  expect(three.map(({ body }) => body.error?.code).filter(Boolean)).toEqual(['busy']);
  expect(await modelCheck()).toBe('ok');
});

it('an instance is not ready while no endpoint is reachable, before and after its first question', async () => {
  await app.start();
  expect(await ready()).toMatchObject({
    status: 200,
    body: { status: 'ready', checks: { model: 'unknown' } },
  });
  await app.emulator.close();
  const unreachable = { status: 503, body: { error: { code: 'not_ready' }, checks: { model: 'failing' } } };
  expect(await ready()).toMatchObject(unreachable);
  await askForError(app, { question: newQuestion() });
  expect(await ready()).toMatchObject(unreachable);
  expect((await ready()).body.status).toContain('model');
});

it(
  'an instance is not ready while the circuit breaker is open, and ready when it is half-open',
  { tags: ['long'] },
  async () => {
    await app.start();
    app.emulator.fault = { kind: 'status', status: 500 };
    for (let index = 0; index < 3; index++) await askForError(app, { question: newQuestion() });
    expect(await ready()).toMatchObject({ status: 503, body: { checks: { model: 'failing' } } });
    await eventually(async () => (await ready()).status === 200, 15_000);
  },
);

it('an instance stays ready when a reachable model fails occasionally', async () => {
  await app.start();
  app.emulator.failNext({ kind: 'status', status: 401 });
  await askForError(app, { question: newQuestion() });
  expect(await ready()).toMatchObject({
    status: 200,
    body: { status: 'ready', checks: { model: 'failing' } },
  });
  await ask(app, { question: newQuestion() });
  expect(await modelCheck()).toBe('ok');
});

it(
  'a retry with less history counts as a second call, not as one long call',
  { tags: ['long'] },
  async () => {
    await app.start();
    const { session_id, performance_metrics: first } = await ask(app, { question: newQuestion() });
    app.emulator.latencyMs = 400;
    app.emulator.failNext({ kind: 'context_length' });
    const { performance_metrics: metrics } = await ask(app, { question: newQuestion(), session_id });
    expect(metrics.connection_stats.total_requests).toBe(3);
    expect(metrics.api_call_time).toBeGreaterThan(0.8);
    // The average of three calls. That of two would be larger.
    const total = first.api_call_time + metrics.api_call_time;
    expect(metrics.connection_stats.avg_response_time).toBeLessThan(total / 3 + 0.01);
    expect((await ready()).body.totals.model_calls).toBe(3);
  },
);
