/**
 * npm run postdeploy: after a deployment with azd, it says how to use the app, waits until it answers, and tests it, without
 * showing the key.
 * @module-tag long
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROLES } from '../../dev/azd/roles.ts';
import { AzureCommands } from '../support/azure-commands.ts';
import { roleAssignment } from '../support/azure-replies.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();
let server: Server | undefined;
let commands: AzureCommands;
beforeEach(() => {
  commands = new AzureCommands();
});
afterEach(() => {
  server?.close();
  server = undefined;
  commands[Symbol.dispose]();
});

const KEYS = 'az functionapp keys list --name func-1 --resource-group rg-dev';
const LIST = 'az role assignment list';
const postdeploy = (env: Record<string, string>, ...args: string[]) =>
  commands.run(['postdeploy', '--interval', '0', ...args], env);

it('tests the app with the key that the Azure CLI gives', { tags: ['posix'] }, async () => {
  await app.start({ enableAuth: true });
  const key = app.host.functionKey;
  commands.reply({ to: KEYS, stdout: `${key}\n` });
  const { code, output } = await postdeploy({ ASK_URL: app.url });
  expect(output).toContain(`Chat page:    ${app.url}/`);
  expect(output).toContain('All checks passed.');
  expect(output).not.toContain(key);
  expect(code).toBe(0);
  // The same command gives the key to the reader.
  expect(output).toContain(commands.lines[0]);
});

it('fails when the smoke test fails', { tags: ['posix'] }, async () => {
  await app.start();
  app.emulator.fault = { kind: 'status', status: 500 };
  commands.reply({ to: KEYS, stdout: 'key' });
  const { code, output } = await postdeploy({ ASK_URL: app.url });
  expect(output).toMatch(/FAILED ask/);
  expect(output).toContain('azd hooks run postdeploy');
  expect(code).toBe(1);
});

it('says what to do without the Azure CLI', { tags: ['posix'] }, async () => {
  const { code, output } = await commands.run(['postdeploy'], { PATH: '/nowhere' });
  expect(output).toContain('https://aka.ms/azure-cli');
  expect(code).toBe(1);
});

/** Gives a key, and lists these roles. */
const replyWith = (...roles: object[]): void =>
  commands.reply({ to: KEYS, stdout: 'key' }, { to: LIST, stdout: roles });

/** Starts a server that answers each request with a status and a text. Returns its address. */
async function startServer(answer: (path: string) => [status: number, text: string]): Promise<string> {
  server = createServer((request, response) => {
    const [status, text] = answer(request.url ?? '');
    response.writeHead(status).end(text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** App Service authentication in front of the app: everybody gets the page, and questions this status. */
const startAuthentication = (status: number): Promise<string> =>
  startServer((path) => (path === '/' ? [200, 'page'] : [status, '']));

const allRoles = (): object[] => ROLES.map((role) => roleAssignment(role, 900));

describe('an app that does not answer', { tags: ['posix'] }, () => {
  it('is waited for, with a line of progress', async () => {
    // The host's words: HostAvailabilityCheckMiddleware.cs in Azure/azure-functions-host.
    let requests = 0;
    const url = await startServer(() =>
      requests++ < 3 ? [503, 'Function host is not running.'] : [200, '{}'],
    );
    replyWith();
    const { output } = await postdeploy({ ASK_URL: url });
    expect(output.match(/^ +\d+ s {2}The app is starting \(HTTP 503\)$/gm)).toHaveLength(3);
    expect(output).toContain('Smoke test of');
  });

  it('because a role is missing: it says which one', async () => {
    await app.start({ env: { SESSIONS_STORAGE: UNREACHABLE_STORAGE } });
    replyWith(...allRoles().slice(0, 1), ...allRoles().slice(2));
    const { code, output } = await postdeploy({ ASK_URL: app.url }, '--wait', '0');
    expect(output).toContain(
      'Storage refuses the app or is not reached: its identity lacks Storage Table Data Contributor. Run "azd provision"',
    );
    expect(code).toBe(1);
  });

  it('although it has the role: the network or the log', async () => {
    await app.start({ env: { SESSIONS_STORAGE: UNREACHABLE_STORAGE } });
    replyWith(...allRoles());
    const { output } = await postdeploy({ ASK_URL: app.url }, '--wait', '0');
    expect(output).toContain(
      'has had the role Storage Table Data Contributor for 15 min: the network may be closed',
    );
    expect(output).toContain('logstream func-1');
  });

  it('because the model refuses it', async () => {
    await app.start();
    app.emulator.fault = { kind: 'status', status: 401 };
    replyWith(...allRoles());
    const { code, output } = await postdeploy({ ASK_URL: app.url }, '--wait', '0');
    expect(output).toContain('The model refuses the app, although its identity has had the role Cognitive');
    expect(code).toBe(1);
  });

  it('because its settings are invalid: it does not wait', async () => {
    await app.start({ env: { MAX_QUESTION_CHARS: 'many' } });
    replyWith();
    const { code, output } = await postdeploy({ ASK_URL: app.url });
    expect(output).toContain('The settings of the app are invalid. The log has the reason');
    expect(code).toBe(1);
  });

  it('because it has no functions: the app is broken', async () => {
    const url = await startServer(() => [404, '']);
    replyWith(...allRoles());
    const { output } = await postdeploy({ ASK_URL: url }, '--wait', '0');
    expect(output).toContain(
      'The app has no functions yet, although its identity has all roles: the app is broken.',
    );
  });

  it('because its host cannot read its storage: the role is missing', async () => {
    const url = await startServer(() => [503, 'Function host is not running.']);
    replyWith(...allRoles().slice(1));
    const { output } = await postdeploy({ ASK_URL: url }, '--wait', '0');
    expect(output).toContain('The app is starting (HTTP 503): its identity lacks Storage Blob Data Owner.');
  });
});

const UNREACHABLE_STORAGE =
  'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:9/a';

describe('when users sign in', { tags: ['posix'] }, () => {
  it('checks the sign-in, and asks for no key', async () => {
    const url = await startAuthentication(401);
    const { code, output } = await postdeploy({ ASK_URL: url, ASK_SIGN_IN: 'true' });
    expect(output).toContain(`${url}/ (users sign in)`);
    expect(output).toContain('questions need a sign-in');
    expect(commands.lines).toEqual([]);
    expect(code).toBe(0);
  });

  it('fails when questions are answered without', async () => {
    const url = await startAuthentication(200);
    const { code, output } = await postdeploy({ ASK_URL: url, ASK_SIGN_IN: 'true' }, '--wait', '0');
    expect(output).toContain('A question without a sign-in got HTTP 200 instead of HTTP 401.');
    expect(code).toBe(1);
  });
});

describe('callers with keys', { tags: ['posix'] }, () => {
  const env = { ASK_CALLER_KEYS: `shop=${createHash('sha256').update('key-of-shop').digest('hex')}` };
  const start = () =>
    app.start({
      enableAuth: true,
      env: { HTTP_AUTH_LEVEL: 'anonymous', CALLER_KEYS: env.ASK_CALLER_KEYS },
    });

  it('are tested with the key of one', async () => {
    await start();
    commands.reply({ to: KEYS, stdout: app.host.functionKey });
    const given = { ...env, ASK_URL: app.url, ASK_CALLER_KEY: 'key-of-shop' };
    const { code, output } = await postdeploy(given);
    expect(output).toContain('All checks passed.');
    expect(output).not.toContain('key-of-shop');
    expect(code).toBe(0);
  });

  it('are waited for only, without a key', async () => {
    await start();
    commands.reply({ to: KEYS, stdout: app.host.functionKey });
    const { code, output } = await postdeploy({ ...env, ASK_URL: app.url });
    expect(output).toContain('ASK_CALLER_KEY');
    expect(code).toBe(0);
  });
});
