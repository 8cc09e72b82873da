/** Helpers for the child processes of the local stack: ports, environment, stopping. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Environment } from '../../src/lib/config/config.ts';

/** Returns a port of 127.0.0.1 that was free a moment ago, for a process that needs a port as an argument. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
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
