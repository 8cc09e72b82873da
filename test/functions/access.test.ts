/** Which routes need a function key. */
import { expect, it } from 'vitest';
import { post } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

const statuses = async (headers: Record<string, string>): Promise<number[]> => {
  const ready = await fetch(`${app.url}/health/ready`, { headers });
  const open = await Promise.all(
    ['/health', '/', '/assets/unknown.js'].map((path) => fetch(app.url + path, { headers })),
  );
  const asked = await post(app, '{"question": "q"}', headers);
  const stored = await fetch(`${app.url}/sessions/unknown/answers/k`, { headers });
  const copied = await fetch(`${app.url}/sessions/unknown/copy`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: '{}',
  });
  return [asked, stored, copied, ready, ...open].map(({ status }) => status);
};

it('requires a function key, except for the liveness check and the files of the page', async () => {
  await app.start({ enableAuth: true });
  expect(await statuses({})).toEqual([401, 401, 401, 401, 200, 200, 404]);
  expect(await statuses({ 'x-functions-key': 'wrong' })).toEqual([401, 401, 401, 401, 200, 200, 404]);
  expect(app.emulator.requests).toHaveLength(0);
  expect(await statuses({ 'x-functions-key': app.host.functionKey })).toEqual([
    200, 404, 404, 200, 200, 200, 404,
  ]);
});

it('requires no key when HTTP_AUTH_LEVEL is anonymous', async () => {
  await app.start({ enableAuth: true, env: { HTTP_AUTH_LEVEL: 'anonymous' } });
  expect(await statuses({}), app.output()).toEqual([200, 404, 404, 200, 200, 200, 404]);
});
