/** Stands in for the Azure CLI and azd: programs that reply with recorded output, and record how they were called. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runNode, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';

/** What a program prints for arguments that begin with `to`. */
export interface Reply {
  to: string;
  stdout?: string | object;
  stderr?: string;
  code?: number;
  /** It is given only so often; always when absent. */
  times?: number;
}

/** One call: the program with its arguments, and the content of the file that they name. */
export interface Call {
  line: string;
  body?: unknown;
}

/** How a command of the project ended, and all that it printed. */
export interface Outcome {
  code: number | null;
  output: string;
}

const PROGRAM = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
const folder = import.meta.dirname;
const args = process.argv.slice(2);
const line = args.join(' ');
const file = args.map((arg) => arg.replace(/^@/, '')).find((arg) => arg.endsWith('.json') && existsSync(arg));
const body = file && { body: JSON.parse(readFileSync(file, 'utf8')) };
appendFileSync(folder + '/calls', JSON.stringify({ line, ...body }) + '\\n');
const replies = JSON.parse(readFileSync(folder + '/replies', 'utf8'));
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

/** The outputs of the template, which azd gives to its hooks. */
const OUTPUTS = {
  ASK_SIGN_IN: 'false',
  ASK_URL: 'https://func-1.azurewebsites.net',
  AZURE_ENV_NAME: 'dev',
  AZURE_FUNCTION_APP_NAME: 'func-1',
  AZURE_IDENTITY_PRINCIPAL_ID: 'principal-1',
  AZURE_RESOURCE_GROUP: 'rg-dev',
  AZURE_TENANT_ID: 'tenant-1',
};

/** The stand-ins of one test. */
export class AzureCommands implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ask-az-'));
  /** The PATH with the stand-ins first. */
  readonly path: string;

  constructor(...replies: Reply[]) {
    const bin = join(this.#folder, 'bin');
    const program = join(this.#folder, 'program.mjs');
    mkdirSync(bin);
    writeFileSync(program, PROGRAM);
    for (const name of ['az', 'azd']) {
      const [file, script] =
        process.platform === 'win32'
          ? [`${name}.cmd`, `@"${process.execPath}" "${program}" ${name} %*\r\n`]
          : [name, `#!/bin/sh\nexec '${process.execPath}' '${program}' ${name} "$@"\n`];
      writeFileSync(join(bin, file), script, { mode: 0o755 });
    }
    this.path = [bin, process.env['PATH']].join(delimiter);
    this.reply(...replies);
  }

  /** Sets the replies. The first that fits is given; without one, a call fails. */
  reply(...replies: Reply[]): void {
    writeFileSync(join(this.#folder, 'replies'), JSON.stringify(replies));
  }

  /** Runs `node dev/run.js COMMAND`, as azd runs a hook: with these programs, and with the outputs of the template as variables. */
  async run(command: string[], env: Record<string, string> = {}): Promise<Outcome> {
    const variables = { ...systemEnvironment(), ...OUTPUTS, PATH: this.path, ...env };
    const { code, output } = await runNode(['dev/run.js', ...command], { cwd: root, env: variables });
    return { code, output };
  }

  /** The calls so far, in their order. */
  get calls(): Call[] {
    try {
      const lines = readFileSync(join(this.#folder, 'calls'), 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Call);
    } catch {
      // None yet.
      return [];
    }
  }

  /** The calls as lines, such as `azd env set A=B`. */
  get lines(): string[] {
    return this.calls.map(({ line }) => line);
  }

  /** The variables that `azd env set` was told to set. */
  get variables(): Record<string, string> {
    const sets = this.lines.filter((line) => line.startsWith('azd env set '));
    return Object.fromEntries(
      sets.flatMap((line) =>
        [...line.matchAll(/(\w+)=(\S*)/g)].map(([, name = '', value = '']) => [name, value]),
      ),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
