/** Helpers for the child processes of the local stack: ports, environment, stopping. */
import type { ChildProcess } from 'node:child_process';
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
 * gives it to nobody who does not ask for it.
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

/**
 * Sends `message`, which asks `child` to stop, and waits for its end. Kills it after `timeoutMs` milliseconds.
 * Returns the exit code, or null if a signal ended it.
 */
export async function stopChild(
  child: ChildProcess,
  message: string,
  timeoutMs: number,
): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    // The child may have closed its channel because it is ending already.
    if (child.connected) child.send(message, () => {});
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await exited;
    clearTimeout(timer);
  }
  return child.exitCode;
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
    'SystemRoot',
    'ComSpec',
    'PATHEXT',
  ];
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
