/** Runs the Azure CLI and azd, whose variables describe the deployment. */
import { spawnSync } from 'node:child_process';

/** What a command printed. `code` is null when there is no such program. */
export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** What to do without the Azure CLI. */
export const NO_AZ = 'The Azure CLI ("az") was not found: learn.microsoft.com/cli/azure/install-azure-cli';

/** Runs the Azure CLI. `values` must contain no blanks and no characters that a shell knows. */
export const az = (command: string, ...values: string[]): CommandResult => run('az', command, values);

/** Runs azd in the folder of the project. */
export const azd = (command: string, ...values: string[]): CommandResult => run('azd', command, values);

function run(program: string, command: string, values: string[]): CommandResult {
  // On Windows `az` is a script, which needs a shell.
  const shell = process.platform === 'win32';
  const args = [...command.split(' '), ...values];
  const { error, status, stdout, stderr } = spawnSync(program, args, { shell, encoding: 'utf8' });
  return error ? { code: null, stdout: '', stderr: error.message } : { code: status ?? 1, stdout, stderr };
}

/** Returns variables that azd sets from the outputs of the template, or undefined, after saying so, when one is missing. */
export function azdVariables<Name extends string>(...names: Name[]): Record<Name, string> | undefined {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    console.error(`Not set: ${missing.join(', ')}. azd sets them: run this with "azd hooks run".`);
    process.exitCode = 1;
    return undefined;
  }
  return Object.fromEntries(names.map((name) => [name, process.env[name]])) as Record<Name, string>;
}
