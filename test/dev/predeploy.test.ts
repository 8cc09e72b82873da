/**
 * npm run predeploy: before a deployment with azd, it waits until the roles of the app's identity act.
 * @module-tag long
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROLES } from '../../dev/azd/roles.ts';
import { AzureCommands } from '../support/azure-commands.ts';
import { roleAssignment } from '../support/azure-replies.ts';

let commands: AzureCommands;
beforeEach(() => {
  commands = new AzureCommands();
});
afterEach(() => commands[Symbol.dispose]());

const LIST = 'az role assignment list --all';
const predeploy = (...args: string[]) => commands.run(['predeploy', ...args]);
const all = (age: number): object[] => ROLES.map((role) => roleAssignment(role, age));

it('does not wait for roles that have been there for some minutes', { tags: ['posix'] }, async () => {
  commands.reply({ to: LIST, stdout: all(150) });
  expect(await predeploy()).toEqual({ code: 0, output: '' });
  expect(commands.lines).toEqual([expect.stringContaining('--assignee principal-1')]);
});

it('waits for roles that were just assigned', { tags: ['posix'] }, async () => {
  const [first, ...others] = ROLES;
  const old = others.map((role) => roleAssignment(role, 900));
  commands.reply(
    { to: LIST, stdout: [roleAssignment(first, 20), ...old], times: 2 },
    { to: LIST, stdout: [roleAssignment(first, 150), ...old] },
  );
  const { code, output } = await predeploy('--interval', '0');
  expect(output.match(/^ +\d+ s {2}The roles are new: \d+ s until they act everywhere$/gm)).toHaveLength(2);
  expect(code).toBe(0);
});

it('waits for roles that are missing, and names them', { tags: ['posix'] }, async () => {
  commands.reply({ to: LIST, stdout: all(900).slice(1), times: 1 }, { to: LIST, stdout: all(900) });
  const { code, output } = await predeploy('--interval', '0');
  expect(output).toMatch(/^ +\d+ s {2}The app's identity lacks Storage Blob Data Owner\n$/);
  expect(code).toBe(0);
});

it('fails when roles that are missing do not come', { tags: ['posix'] }, async () => {
  commands.reply({ to: LIST, stdout: all(900).slice(2) });
  const { code, output } = await predeploy('--wait', '0');
  expect(output).toContain(
    "The app's identity lacks Storage Blob Data Owner, Storage Table Data Contributor.",
  );
  expect(output).toContain('azd provision');
  expect(code).toBe(1);
});

it('lets the deployment go on when the roles cannot be listed', { tags: ['posix'] }, async () => {
  // azure-cli, src/azure-cli-core/azure/cli/core/_profile.py
  commands.reply({ to: LIST, stderr: "ERROR: Please run 'az login' to setup account.\n", code: 1 });
  const { code, output } = await predeploy();
  expect(output).toMatch(
    /^The roles are not checked\. "az role assignment list .*" failed: Please run 'az login' to setup account\.\n$/,
  );
  expect(code).toBe(0);
});

it('lets the deployment go on without the Azure CLI', { tags: ['posix'] }, async () => {
  const { code, output } = await commands.run(['predeploy'], { PATH: '/nowhere' });
  expect(output).toContain('The Azure CLI ("az") is not installed');
  expect(code).toBe(0);
});

it('says how to run it by hand', async () => {
  const { code, output } = await commands.run(['predeploy'], { AZURE_IDENTITY_PRINCIPAL_ID: '' });
  expect(output).toContain('azd hooks run');
  expect(code).toBe(1);
});
