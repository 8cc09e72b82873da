/** Runs a benchmark as a command, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from '../../dev/stack/root.ts';
import { systemEnvironment } from '../../dev/stack/child-process.ts';

/** A command that runs. */
export interface BenchCommand {
  child: ChildProcess;
  /** Everything that it has written so far. */
  output: () => string;
  /** The exit code, when its output is complete. */
  code: Promise<number | null>;
}

/** Starts `npm run NAME -- ARGS`. */
export function startBench(name: string, ...args: string[]): BenchCommand {
  const child = spawn(process.execPath, [join(root, 'dev/run.js'), `../bench/${name}`, ...args], {
    cwd: root,
    env: systemEnvironment(),
  });
  let output = '';
  const read = (data: Buffer): void => void (output += data.toString());
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const code = once(child, 'close').then(([result]) => result as number | null);
  return { child, output: () => output, code };
}

/** Runs `npm run NAME -- ARGS` to its end. */
export async function runBench(
  name: string,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  const command = startBench(name, ...args);
  return { code: await command.code, output: command.output() };
}
