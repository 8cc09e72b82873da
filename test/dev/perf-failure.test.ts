/** npm run perf when nothing is answered: it stops early, says why, and keeps the files of an earlier test. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { localhostCertificate } from '../../dev/stack/certificate.ts';
import { freePort } from '../../dev/stack/child-process.ts';
import { startApp } from '../support/app.ts';
import { createPerfFolder } from '../support/perf-command.ts';

const folder = createPerfFolder();
const CHART = 'performance_results.png';
const servers: Server[] = [];
beforeEach(() => writeFileSync(folder.file(CHART), 'an earlier chart'));
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(() => folder.remove());

/** Starts a server on a free port and returns its origin without the scheme. */
async function serve(server: Server): Promise<string> {
  servers.push(server.listen(0, 'localhost'));
  await once(server, 'listening');
  return `localhost:${(server.address() as AddressInfo).port}`;
}

/** Runs a long test that is expected to stop early, and returns its output. */
async function failEarly(...args: string[]): Promise<string> {
  const { code, output } = await folder.run(
    '--requests',
    '100000',
    '--delay',
    '0',
    '--json',
    'a.json',
    ...args,
  );
  expect(code).toBe(1);
  expect(readFileSync(folder.file(CHART), 'utf8')).toBe('an earlier chart');
  expect(output).toContain(`${CHART} was kept as it was`);
  expect(folder.exists('a.json')).toBe(false);
  return output;
}

/** Answers each request with a status and an error code. */
const refuse =
  (status: number, code?: string): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(code ? JSON.stringify({ error: { code, message: code } }) : '');
  };

it('says that nothing listens', async () => {
  const url = `http://localhost:${await freePort()}/ask`;
  const output = await failEarly('--url', url);
  expect(output).toContain('to 1 request, so the test was stopped early: 1 x ECONNREFUSED');
  expect(output).toContain(`Nothing listens at ${url}. Start the app with "npm start"`);
});

it('says that the host is unknown', async () => {
  const output = await failEarly('--url', 'http://no-such-host.invalid/ask');
  expect(output).toContain('The host no-such-host.invalid is unknown. Check --url.');
});

it('asks for the function key, with which the test succeeds', { tags: ['long'] }, async () => {
  const app = await startApp({ enableAuth: true });
  try {
    const output = await failEarly('--url', `${app.url}/ask`);
    expect(output).toContain('1 x 401');
    expect(output).toContain('--key');
    expect(output).toContain('npm start -- --enable-auth');
    expect(output).toContain('az functionapp keys list');
    const key = app.host.functionKey;
    const { code } = await folder.run('--url', `${app.url}/ask`, '--key', key, '--requests', '1');
    expect(code).toBe(0);
    expect(readFileSync(folder.file(CHART), 'utf8')).not.toBe('an earlier chart');
  } finally {
    await app.stop();
  }
});

it('asks for the key of a caller, with which the test succeeds', { tags: ['long'] }, async () => {
  const digest = createHash('sha256').update('key-of-shop').digest('hex');
  const app = await startApp({ env: { HTTP_AUTH_LEVEL: 'anonymous', CALLER_KEYS: `shop=${digest}` } });
  try {
    expect(await failEarly('--url', `${app.url}/ask`)).toContain('Send the key of one with --key.');
    const run = await folder.run('--url', `${app.url}/ask`, '--key', 'key-of-shop', '--requests', '1');
    expect(run.code).toBe(0);
  } finally {
    await app.stop();
  }
});

it('names the log when the settings of the app are wrong', { tags: ['long'] }, async () => {
  const app = await startApp({ env: { AZURE_OPENAI_ENDPOINT: 'not an address' } });
  try {
    const output = await failEarly('--url', `${app.url}/ask`);
    expect(output).toContain('1 x 500 misconfigured');
    expect(output).toContain('The log of the app names the setting');
    expect(app.output()).toContain('AZURE_OPENAI_ENDPOINT');
  } finally {
    await app.stop();
  }
});

it.each([
  [403, 'refuses this caller'],
  [404, 'The server has no /ask. Check the path'],
])('explains status %i', async (status, explanation) => {
  const host = await serve(createServer(refuse(status)));
  const output = await failEarly('--url', `http://${host}/ask`);
  expect(output).toContain(`1 x ${status}`);
  expect(output).toContain(explanation);
});

it('says that the certificate is not trusted, or that the server has no HTTPS', async () => {
  const secure = await serve(createTlsServer(await localhostCertificate(), refuse(200)));
  expect(await failEarly('--url', `https://${secure}/ask`)).toContain(
    'The certificate of localhost is not trusted',
  );
  const plain = await serve(createServer(refuse(200)));
  expect(await failEarly('--url', `https://${plain}/ask`)).toContain('does not speak HTTPS');
});

it(
  'stops after five failures whose cause could pass, and after all of fewer',
  { tags: ['long'] },
  async () => {
    let asked = 0;
    const listener: RequestListener = (request, response) => {
      asked++;
      refuse(503, 'busy')(request, response);
    };
    const url = `http://${await serve(createServer(listener))}/ask`;
    expect(await failEarly('--url', url)).toContain('No answer from');
    expect(asked).toBe(5);
    expect(await failEarly('--url', url, '--requests', '2')).toContain('to 2 requests: 2 x 503 busy');
    expect(asked).toBe(7);
  },
);

it('does not give up while the first answer is on its way', { tags: ['long'] }, async () => {
  let asked = 0;
  const waiting: (() => void)[] = [];
  const listener: RequestListener = (request, response) => {
    if (++asked > 1) refuse(503, 'busy')(request, response);
    else waiting.push(() => response.end('{"performance_metrics": {"from_cache": true}}'));
    if (asked === 20) waiting.pop()?.();
  };
  const url = `http://${await serve(createServer(listener))}/ask`;
  const args = ['--requests', '30', '--concurrency', '2', '--delay', '0', '--url', url];
  const { code, output } = await folder.run(...args, '--output', 'b.png');
  expect(code).toBe(1);
  expect(output).toMatch(/Answered +1 of 30/);
  expect(folder.exists('b.png')).toBe(true);
});
