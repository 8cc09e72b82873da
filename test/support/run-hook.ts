/** Runs a hook as azd does: as a command of its own, with the outputs of the template as variables. */
import { execFile } from 'node:child_process';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';

const OUTPUTS = {
  ASK_SIGN_IN: 'false',
  ASK_URL: 'https://func-1.azurewebsites.net',
  AZURE_ENV_NAME: 'dev',
  AZURE_FUNCTION_APP_NAME: 'func-1',
  AZURE_IDENTITY_PRINCIPAL_ID: 'principal-1',
  AZURE_RESOURCE_GROUP: 'rg-dev',
  AZURE_TENANT_ID: 'tenant-1',
};

/** Runs `node dev/run.js COMMAND`, which looks again after no time. Returns the exit code and all that it printed. */
export function runHook(
  command: string[],
  env: Record<string, string>,
): Promise<{ code: number; output: string }> {
  const options = { cwd: root, env: { ...systemEnvironment(), ...OUTPUTS, ...env } };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['dev/run.js', ...command], options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}
