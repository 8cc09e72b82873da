/** Runs the Azure CLI and the Azure Developer CLI, on every system the same. */
import type { z } from 'zod';
import { Child } from '../stack/child-process.ts';
import { root } from '../stack/root.ts';

/** What the shell of Windows takes literally. */
const PLAIN = /^[\w.,:=/@-]+$/;

const INSTALL = {
  az: 'The Azure CLI ("az") is not installed: https://aka.ms/azure-cli',
  azd: 'The Azure Developer CLI ("azd") is not installed: https://aka.ms/azd',
};

/** A command that failed or could not be started. The message begins with the command and has the first line of its errors. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** All that the program wrote to its standard error, such as the code of an error of Azure. */
  readonly details: string;
  /** Whether there is no such program. */
  readonly isNotInstalled: boolean;

  constructor(command: string, details: string, isNotInstalled = false) {
    super(isNotInstalled ? details : `"${command}" failed: ${firstLine(details)}`);
    this.details = details;
    this.isNotInstalled = isNotInstalled;
  }
}

const firstLine = (text: string): string =>
  text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.replace(/^ERROR: /, '')
    .trim() ?? 'no message';

/**
 * Returns what the program prints. It runs in the folder of the project, where azd finds its environment.
 *
 * @throws CliError when it is not installed or ends with another exit code than 0.
 */
export async function runCli(program: 'az' | 'azd', args: string[]): Promise<string> {
  const command = [program, ...args].join(' ');
  const unusual = args.find((arg) => !PLAIN.test(arg));
  if (unusual !== undefined) throw new CliError(command, `"${unusual}" has characters that are not allowed.`);
  // On Windows `az` is az.cmd, which only the shell starts. The check above keeps the arguments harmless there.
  const child =
    process.platform === 'win32'
      ? new Child(command, [], { cwd: root, shell: true })
      : new Child(program, args, { cwd: root });
  if ((await child.ended) === 0) return child.stdout;
  if (child.startError?.code === 'ENOENT') throw new CliError(command, `${INSTALL[program]}.`, true);
  throw new CliError(command, child.stderr);
}

/** Returns what a command of the Azure CLI prints as JSON. @throws CliError, also when it is not as the schema says */
export async function azJson<T>(schema: z.ZodType<T>, args: string[], subscription?: string): Promise<T> {
  const command = [...args, ...subscriptionArgs(subscription), '--only-show-errors', '--output', 'json'];
  const text = await runCli('az', command);
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'no JSON' : 'JSON of an unknown form';
    throw new CliError(
      ['az', ...args].join(' '),
      `it printed ${reason}: update the Azure CLI ("az upgrade").`,
    );
  }
}

/** The option that names a subscription. Without one, the Azure CLI uses its default. */
export const subscriptionArgs = (subscription: string | undefined): string[] =>
  subscription ? ['--subscription', subscription] : [];
