/** Runs a real Redis server for tests and benchmarks. */
import type { ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { connect } from 'node:net';
import { Child, findProgram, onFreePort } from './child-process.ts';

/** A running server. */
export interface Redis {
  url: string;
  port: number;
  process: ChildProcess;
  /** Sends a command without spaces in its arguments. Returns the reply as it is on the wire. */
  command(...words: string[]): Promise<string>;
  /** Kills the server, like a crash. */
  kill(): Promise<void>;
}

/** Returns the path of Redis, or of Valkey, which speaks the same protocol. Undefined when neither is on the PATH. */
export const findRedis = (): string | undefined => findProgram('redis-server', 'valkey-server');

/**
 * Starts a server without persistence, with further arguments.
 * @throws Error that says what to install when there is none.
 */
export async function startRedis(port?: number, args: string[] = []): Promise<Redis> {
  if (port === undefined) return onFreePort((free) => startRedis(free, args));
  const program = findRedis();
  if (!program) throw new Error('redis-server was not found. On Debian: apt-get install redis-server');
  const child = new Child(program, ['--port', String(port), '--save', '', '--appendonly', 'no', ...args]);
  await child.printed('Ready to accept connections');
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    process: child.process,
    command(...words) {
      const socket = connect(port, '127.0.0.1');
      socket.end(`${words.join(' ')}\r\n`);
      return text(socket);
    },
    async kill() {
      await child.kill();
    },
  };
}
