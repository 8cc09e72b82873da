/** The liveness check and the readiness check. */
import { expect, it } from 'vitest';
import { ask, askForError } from '../support/app.ts';
import { useApp, useFreshApp } from '../support/fixture.ts';

const app = useApp();
const fresh = useFreshApp();

it('reports that the process is alive', async () => {
  const response = await fetch(`${app.url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

it('reports the result of the latest model call, and makes none itself', async () => {
  await fresh.start();
  const ready = async () => (await fetch(`${fresh.url}/health/ready`)).json();
  expect(await ready()).toMatchObject({
    status: 'ready',
    checks: { configuration: 'ok', storage: 'ok', model: 'unknown' },
  });
  expect(fresh.emulator.requests).toHaveLength(0);
  await ask(fresh, { question: 'one' });
  expect(await ready()).toMatchObject({ checks: { model: 'ok' } });
  fresh.emulator.failNext({ kind: 'status', status: 401 });
  await askForError(fresh, { question: 'two' });
  expect(await ready()).toMatchObject({ status: 'ready', checks: { model: 'failing' } });
});

it('is not ready when storage is unreachable', async () => {
  await fresh.start({
    env: {
      SESSIONS_STORAGE:
        'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;',
    },
  });
  const response = await fetch(`${fresh.url}/health/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    error: { code: 'not_ready' },
    checks: { storage: 'failing' },
  });
});

it.each(['/health', '/health/ready'])('answers other methods on %s with 405', async (path) => {
  const response = await fetch(app.url + path, { method: 'POST' });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET');
});
