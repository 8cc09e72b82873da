/** Child processes of the commands, benchmarks and tests: start, output, stop; ports and environment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Environment } from '../../src/lib/config/config.ts';

/** Systems give ports from 32768 on to connections and to servers that ask for any port. */
const PORTS = { first: 15_000, count: 17_000 };
const MAX_ATTEMPTS = 20;

/**
 * Returns a port of 127.0.0.1 for a process that needs a port as an argument. It was free a moment ago, and the system
 * does not choose it for other processes.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = PORTS.first + randomInt(PORTS.count);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      // In use, or reserved by the system.
      if (attempt < MAX_ATTEMPTS) continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Starts a server on a free port. When another process takes the port first, it is started on another one. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/** Returns the path of the first of these programs that is on the PATH, or undefined. */
export function findProgram(...names: string[]): string | undefined {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name + suffix)))
    .find((path) => existsSync(path));
}

/** Returns whether a process listens on a port of this machine. */
export async function isListening(port: number, host = 'localhost'): Promise<boolean> {
  const socket = connect({ host, port, autoSelectFamily: true });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Options of {@link Child}. */
export interface ChildOptions {
  cwd?: string;
  /** The environment of this process by default. */
  env?: Environment;
  /** Opens a channel for messages. */
  ipc?: boolean;
  /** Where the output goes instead of into the properties of {@link Child}. */
  output?: 'inherit' | ((text: string) => void) | undefined;
  /** Gives it a process group of its own, which Ctrl-C does not reach. Has no effect on Windows. */
  ownGroup?: boolean;
  /** Starts it through a shell. */
  shell?: boolean;
  /** It is killed after this time in milliseconds. */
  timeout?: number;
}

/** A child process and its output. */
export class Child {
  readonly process: ChildProcess;
  /** What it has written so far; empty when the output goes elsewhere. */
  stdout = '';
  stderr = '';
  /** Both streams, in the order of their arrival. */
  output = '';
  /** Set when the program cannot be started; `ended` then gives a negative number. */
  startError: NodeJS.ErrnoException | undefined;
  /** The exit code, or null after a signal, when its output is complete. */
  readonly ended: Promise<number | null>;
  readonly #program: string;
  readonly #onOutput = new Set<() => void>();

  constructor(program: string, args: string[], options: ChildOptions = {}) {
    const { ipc = false, output, ownGroup = false, ...others } = options;
    const stream = output === 'inherit' ? 'inherit' : 'pipe';
    this.#program = [program, ...args].join(' ');
    this.process = spawn(program, args, {
      ...others,
      detached: ownGroup && process.platform !== 'win32',
      stdio: ['ignore', stream, stream, ...(ipc ? (['ipc'] as const) : [])],
    });
    for (const name of ['stdout', 'stderr'] as const)
      this.process[name]?.setEncoding('utf8').on('data', (text: string) => {
        if (typeof output === 'function') output(text);
        else this.#gather(name, text);
      });
    this.process.on('error', (error) => (this.startError ??= error));
    this.ended = new Promise((resolve) => this.process.once('close', resolve));
  }

  #gather(name: 'stdout' | 'stderr', text: string): void {
    this[name] += text;
    this.output += text;
    for (const listener of this.#onOutput) listener();
  }

  /** Waits until the output contains `expected`. @throws Error with the output when the process ends before. */
  printed(expected: string): Promise<void> {
    const found = new Promise<void>((resolve) => {
      const listener = (): void => {
        if (!this.output.includes(expected)) return;
        this.#onOutput.delete(listener);
        resolve();
      };
      this.#onOutput.add(listener);
      listener();
    });
    return this.#unlessEnded(found);
  }

  /** Waits for the next message. @throws Error with the output when the process ends before. */
  message(): Promise<unknown> {
    return this.#unlessEnded(once(this.process, 'message').then(([message]) => message as unknown));
  }

  #unlessEnded<T>(event: Promise<T>): Promise<T> {
    const ended = this.ended.then((code) => {
      const reason = this.startError?.message ?? `exit code ${code}`;
      throw new Error(`"${this.#program}" ended too early (${reason}).\n${this.output}`.trim());
    });
    return Promise.race([event, ended]);
  }

  /** Asks it to stop by a message, and kills it after `timeoutMs`. Returns the exit code; null after a signal. */
  async stop(message: string, timeoutMs: number): Promise<number | null> {
    // It may have closed its channel because it is ending already.
    if (this.process.connected) this.process.send(message, () => {});
    const timer = setTimeout(() => this.process.kill('SIGKILL'), timeoutMs);
    await this.#exited();
    clearTimeout(timer);
    return this.process.exitCode;
  }

  /** Sends it a signal and waits for its end. Returns the exit code; null after a signal. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.process.kill(signal);
    await this.#exited();
    return this.process.exitCode;
  }

  /** Not `ended`: a process that it started may keep its output open. */
  async #exited(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
  }
}

/** Starts a program in Node. `args` begin with options of Node, or with the file. */
export const startNode = (args: string[], options?: ChildOptions): Child =>
  new Child(process.execPath, args, options);

/** Runs a program in Node to its end. Returns its exit code and its output. */
export async function runNode(
  args: string[],
  options?: ChildOptions,
): Promise<{ code: number | null; stdout: string; stderr: string; output: string }> {
  const child = startNode(args, options);
  const code = await child.ended;
  const { stdout, stderr, output } = child;
  return { code, stdout, stderr, output };
}

/** The environment variables that every process needs, without the developer's own settings. */
export function systemEnvironment(): Environment {
  const names = [
    'PATH',
    'Path',
    'HOME',
    'USERPROFILE',
    'TMPDIR',
    'TEMP',
    'TMP',
    'NODE_COMPILE_CACHE',
    'SystemRoot',
    'ComSpec',
    'PATHEXT',
  ];
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
