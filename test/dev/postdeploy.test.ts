/**
 * npm run postdeploy: after a deployment with azd, it says how to use the app and tests it, without showing the key.
 * @module-tag long
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { startApp, type TestApp } from '../support/app.ts';

let app: TestApp | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-az-'));
});
afterEach(async () => {
  await app?.stop();
  app = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const OUTPUTS = { AZURE_FUNCTION_APP_NAME: 'func-1', AZURE_RESOURCE_GROUP: 'rg-dev', ASK_SIGN_IN: 'false' };

/** Runs the hook with the variables that azd sets. */
function postdeploy(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const options = { cwd: root, env: { ...systemEnvironment(), ...OUTPUTS, ...env } };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['dev/run.js', 'postdeploy'], options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

/** Puts an Azure CLI on the PATH that prints `key`, and writes its arguments to the file `calls`. */
function azureCli(key: string): { PATH: string } {
  writeFileSync(join(folder, 'az'), `#!/bin/sh\necho "$@" >> '${join(folder, 'calls')}'\necho '${key}'\n`, {
    mode: 0o755,
  });
  return { PATH: [folder, process.env['PATH']].join(delimiter) };
}

it('tests the app with the key that the Azure CLI gives', { tags: ['posix'] }, async () => {
  app = await startApp({ enableAuth: true });
  const key = app.host.functionKey;
  const { code, output } = await postdeploy({ ...azureCli(key), ASK_URL: app.url });
  expect(output).toContain(`Chat page:    ${app.url}/`);
  expect(output).toContain('All checks passed.');
  expect(output).not.toContain(key);
  expect(code).toBe(0);
  const [call = ''] = readFileSync(join(folder, 'calls'), 'utf8').split('\n');
  expect(call).toContain('functionapp keys list --name func-1 --resource-group rg-dev');
  // The same command gives the key to the reader.
  expect(output).toContain(`az ${call}`);
});

it('fails when the smoke test fails', { tags: ['posix'] }, async () => {
  app = await startApp({ enableAuth: true });
  const { code, output } = await postdeploy({ ...azureCli('not-the-key'), ASK_URL: app.url });
  expect(output).toMatch(/FAILED ask/);
  expect(output).toContain('azd hooks run postdeploy');
  expect(code).toBe(1);
});

it('says what to do without the Azure CLI', { tags: ['posix'] }, async () => {
  const { code, output } = await postdeploy({ PATH: folder, ASK_URL: 'http://localhost:1' });
  expect(output).toContain('Install the Azure CLI');
  expect(code).toBe(1);
});

it('asks for no key when users sign in', { tags: ['posix'] }, async () => {
  const url = 'https://func-1.azurewebsites.net';
  const { code, output } = await postdeploy({ ...azureCli('key'), ASK_URL: url, ASK_SIGN_IN: 'true' });
  expect(output).toContain(`${url}/ (users sign in)`);
  expect(existsSync(join(folder, 'calls'))).toBe(false);
  expect(code).toBe(0);
});
