/** Runs a real Redis server for tests and benchmarks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from './child-process.ts';

/** A running server. */
export interface Redis {
  url: string;
  port: number;
  process: ChildProcess;
  /** Kills the server, like a crash. */
  kill(): Promise<void>;
}

/** Starts a server without persistence. @throws Error that says what to install when redis-server is missing. */
export async function startRedis(port?: number): Promise<Redis> {
  const chosen = port ?? (await freePort());
  const child = spawn('redis-server', ['--port', String(chosen), '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', () =>
      reject(new Error('redis-server was not found. On Debian: apt-get install redis-server')),
    );
    child.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)));
    child.stdout.on('data', (data: Buffer) => {
      if (data.includes('Ready to accept connections')) resolve();
    });
  });
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    process: child,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
