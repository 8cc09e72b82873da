/** Which routes need a function key. */
import { afterEach, expect, it } from 'vitest';
import { post, startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
afterEach(() => app.stop());

const statuses = async (headers: Record<string, string>): Promise<number[]> => {
  const ready = await fetch(`${app.url}/health/ready`, { headers });
  const health = await fetch(`${app.url}/health`, { headers });
  return [(await post(app, '{"question": "q"}', headers)).status, ready.status, health.status];
};

it('requires a function key, except for the liveness check', async () => {
  app = await startApp({ enableAuth: true });
  expect(await statuses({})).toEqual([401, 401, 200]);
  expect(await statuses({ 'x-functions-key': 'wrong' })).toEqual([401, 401, 200]);
  expect(app.emulator.requests).toHaveLength(0);
  expect(await statuses({ 'x-functions-key': app.host.functionKey })).toEqual([200, 200, 200]);
});

it('requires no key when HTTP_AUTH_LEVEL is anonymous', async () => {
  app = await startApp({ enableAuth: true, env: { HTTP_AUTH_LEVEL: 'anonymous' } });
  expect(await statuses({})).toEqual([200, 200, 200]);
});
