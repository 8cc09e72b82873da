/** The liveness check and the readiness check. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, askForError, startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const ready = async () => (await fetch(`${app.url}/health/ready`)).json();

it('reports that the process is alive', async () => {
  const response = await fetch(`${app.url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

it('reports the result of the latest model call, and makes none itself', async () => {
  expect(await ready()).toMatchObject({
    status: 'ready',
    checks: { configuration: 'ok', storage: 'ok', model: 'unknown' },
  });
  expect(app.emulator.requests).toHaveLength(0);
  await ask(app, { question: 'one' });
  expect(await ready()).toMatchObject({ checks: { model: 'ok' } });
  app.emulator.failNext({ kind: 'status', status: 401 });
  await askForError(app, { question: 'two' });
  expect(await ready()).toMatchObject({ status: 'ready', checks: { model: 'failing' } });
});

it('is not ready when storage is unreachable', async () => {
  const appWithoutStorage = await startApp({
    env: {
      SESSIONS_STORAGE_CONNECTION_STRING:
        'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;',
    },
  });
  try {
    const response = await fetch(`${appWithoutStorage.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: { code: 'not_ready' },
      checks: { storage: 'failing' },
    });
  } finally {
    await appWithoutStorage.stop();
  }
});

it.each(['/health', '/health/ready'])('answers other methods on %s with 405', async (path) => {
  const response = await fetch(app.url + path, { method: 'POST' });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET');
});
