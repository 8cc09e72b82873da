/** A running app knows when its model retires, and says so in time. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Catalogue } from '../../dev/azure-openai-emulator/catalogue.ts';
import { startCompatibleServer } from '../../dev/stack/compatible-server.ts';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import { ask, eventually, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { metricsOf, pointsOf, valuesOf } from '../support/otlp.ts';
import { optionsFor } from '../support/other-server.ts';
import { useFreshApp, useStarter } from '../support/fixture.ts';

const MODEL = 'gpt-5-mini-2025-08-07';
const DAY_MS = 24 * 60 * 60_000;
/** Half a day more, so that the number of whole days is the same during the whole test. */
const inDays = (days: number): number => Date.now() + (days + 0.5) * DAY_MS;
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const otlp = useStarter(startReceiver, (receiver) => receiver.close());
const app = useFreshApp();

async function start(catalogue: Catalogue | undefined, v1 = false, env = {}): Promise<void> {
  await app.start({
    emulator: { model: MODEL, catalogue },
    modelPath: v1 ? '/openai/v1/' : '',
    env,
  });
}

const retirement = async (): Promise<unknown> => {
  const response = await fetch(`${app.url}/health/ready`);
  return ((await response.json()) as { model?: { retires_in_days: number } }).model?.retires_in_days;
};
const logged = (): string[] => app.output().match(/.*The model of deployment.*/g) ?? [];

const other = { id: 'gpt-4o-2024-08-06', retiresAt: inDays(3) };

describe.each([
  ['a resource', false],
  ['the v1 API', true],
])('at the address of %s', (_, v1) => {
  it('the date is looked up after the first answer, logged, and shown by /health/ready', async () => {
    const retiresAt = inDays(71);
    await start({ models: [other, { id: MODEL, retiresAt }] }, v1);
    expect(await retirement()).toBeUndefined();
    await ask(app, { question: newQuestion() });
    await eventually(async () => (await retirement()) === 71);
    expect(logged()).toEqual([
      expect.stringContaining(
        `The model of deployment "gpt-4o" at localhost retires on ${dateOf(retiresAt)}, in 71 days.`,
      ),
    ]);
    // The v1 API is asked first. As specified it has no dates, so that the older list is read.
    expect(app.emulator.catalogueRequests).toEqual([
      '/openai/v1/models',
      '/openai/models?api-version=2024-10-21',
    ]);
    expect(app.emulator.requests).toHaveLength(1);
  });
});

it('the older list is not asked for when the v1 API has the dates', async () => {
  await start({ models: [{ id: MODEL, retiresAt: inDays(20) }], v1HasDates: true });
  await ask(app, { question: newQuestion() });
  await eventually(async () => (await retirement()) === 20);
  expect(app.emulator.catalogueRequests).toEqual(['/openai/v1/models']);
});

it('nothing is logged more than 90 days before', async () => {
  await start({ models: [{ id: MODEL, retiresAt: inDays(91) }] });
  await ask(app, { question: newQuestion() });
  await eventually(async () => (await retirement()) === 91);
  expect(logged()).toEqual([]);
});

it('a date that has passed is negative', { tags: ['long'] }, async () => {
  await start({ models: [{ id: MODEL, retiresAt: inDays(-2) }] });
  await ask(app, { question: newQuestion() });
  await eventually(async () => (await retirement()) === -2);
  expect(logged()).toEqual([expect.stringContaining('was to retire on')]);
});

it('an upgraded model has the date of the new version', async () => {
  const upgraded = { id: 'gpt-5-mini-2026-10-01', retiresAt: inDays(400) };
  await start({ models: [{ id: MODEL, retiresAt: inDays(30) }, upgraded] });
  await ask(app, { question: newQuestion() });
  await eventually(async () => (await retirement()) === 30);
  app.emulator.model = upgraded.id;
  await ask(app, { question: newQuestion() });
  expect(await retirement()).toBe(400);
});

it('is exported as a metric', async () => {
  await otlp.start();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url };
  await start({ models: [{ id: MODEL, retiresAt: inDays(71) }] }, false, env);
  await ask(app, { question: newQuestion() });
  await eventually(async () => (await retirement()) === 71);
  await app.stop();
  const metrics = metricsOf(otlp);
  expect(metrics.findLast(({ name }) => name === 'ask.model.retires_in')?.unit).toBe('d');
  const [point] = pointsOf(metrics, 'ask.model.retires_in');
  expect(point?.asDouble).toBe(71);
  expect(valuesOf(point?.attributes ?? [])).toEqual({ 'ask.endpoint': 0 });
});

const silent: [string, Catalogue | undefined][] = [
  ['no list', undefined],
  ['a list without the model', { models: [other] }],
  ['a list that is not JSON', { body: '<html>This is not JSON.' }],
  ['JSON that is no list', { body: '{"data": {"id": 1}}' }],
  [
    'entries that are no models',
    { body: '{"data": [null, 1, {"id": 2}, {"id": "x", "deprecation": null}]}' },
  ],
  ['a time that is no date', { models: [{ id: MODEL, retiresAt: -1e300 }] }],
];
it.each(sampled(silent, 2))('a server with %s is not reported', async (_, catalogue) => {
  await start(catalogue);
  await ask(app, { question: newQuestion() });
  await eventually(() => app.emulator.catalogueRequests.length === 2);
  await ask(app, { question: newQuestion() });
  expect(await retirement()).toBeUndefined();
  // The process still warns of nothing and stops as usual.
  expect(await app.stop()).toBe(0);
  expect(app.output()).not.toMatch(/retire|model of deployment/i);
});

it('a list that never comes delays neither questions nor the stop', async () => {
  await start({ body: null }, false, { REQUEST_TIMEOUT_SECONDS: '5' });
  await ask(app, { question: newQuestion() });
  await eventually(() => app.emulator.catalogueRequests.length === 1);
  expect((await ask(app, { question: newQuestion() })).performance_metrics.connection_reused).toBe(true);
  expect(await app.stop()).toBe(0);
});

it('a server that is not Azure’s is not asked', { tags: ['long'] }, async () => {
  const server = await startCompatibleServer();
  onTestFinished(() => server.close());
  await app.start(optionsFor(server));
  await ask(app, { question: newQuestion() });
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(server.paths).toEqual(['/v1/chat/completions']);
});
