/** Stands in for the Azure CLI and azd: programs on the PATH that reply with recorded output, and record their arguments. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What a program prints for arguments that begin with `to`. */
export interface Reply {
  to: string;
  stdout?: string | object;
  stderr?: string;
  code?: number;
  /** It is given only so often; always when absent. */
  times?: number;
}

/** One call: the arguments, and the content of the file that they name. */
export interface Call {
  args: string[];
  body?: unknown;
}

const PROGRAM = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
const [folder, program, ...args] = process.argv.slice(2);
const file = args.map((arg) => arg.replace(/^@/, '')).find((arg) => arg.endsWith('.json') && existsSync(arg));
const body = file && { body: JSON.parse(readFileSync(file, 'utf8')) };
appendFileSync(folder + '/calls', JSON.stringify({ args: [program, ...args], ...body }) + '\\n');
const replies = JSON.parse(readFileSync(folder + '/replies', 'utf8'));
const line = [program, ...args].join(' ');
const reply = replies.find(({ to, times }) => line.startsWith(to) && times !== 0) ?? { code: 2, stderr: 'Unexpected: ' + line };
if (reply.times) {
  reply.times--;
  writeFileSync(folder + '/replies', JSON.stringify(replies));
}
const { stdout = '', stderr = '', code = 0 } = reply;
process.stdout.write(typeof stdout === 'string' ? stdout : JSON.stringify(stdout));
process.stderr.write(stderr);
process.exitCode = code;
`;

/** The stand-ins of one test. */
export class AzureCommands {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ask-az-'));

  constructor() {
    writeFileSync(join(this.#folder, 'program.mjs'), PROGRAM);
    for (const name of ['az', 'azd']) {
      const command = `exec '${process.execPath}' '${this.#folder}/program.mjs' '${this.#folder}' ${name} "$@"`;
      writeFileSync(join(this.#folder, name), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    }
  }

  /** Sets the replies. The first that fits is given; without one, a call fails. */
  reply(...replies: Reply[]): void {
    writeFileSync(join(this.#folder, 'replies'), JSON.stringify(replies));
  }

  /** The PATH with the stand-ins first. */
  get path(): string {
    return [this.#folder, process.env['PATH']].join(delimiter);
  }

  /** The calls so far. */
  calls(): Call[] {
    try {
      const lines = readFileSync(join(this.#folder, 'calls'), 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Call);
    } catch {
      // None yet.
      return [];
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A role as `az role assignment list` prints it:
 * learn.microsoft.com/azure/role-based-access-control/role-assignments, and `createdOn` as in the outputs of
 * learn.microsoft.com/azure/developer/terraform/ and other tutorials of Microsoft: six digits of a second, and the offset.
 */
export const roleAssignment = (roleDefinitionName: string, ageSeconds: number): object => ({
  condition: null,
  conditionVersion: null,
  createdBy: '11111111-1111-1111-1111-111111111111',
  createdOn: new Date(Date.now() - 1000 * ageSeconds).toISOString().replace('Z', '000+00:00'),
  delegatedManagedIdentityResourceId: null,
  description: null,
  id: '/subscriptions/s/resourceGroups/rg-dev/providers/Microsoft.Authorization/roleAssignments/a',
  name: 'a',
  principalId: 'principal-1',
  principalType: 'ServicePrincipal',
  resourceGroup: 'rg-dev',
  roleDefinitionId: '/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r',
  roleDefinitionName,
  scope: '/subscriptions/s/resourceGroups/rg-dev/providers/Microsoft.Storage/storageAccounts/st1',
  type: 'Microsoft.Authorization/roleAssignments',
});
