/** The model client in a process of its own, which alone trusts the emulator's certificate, and which can be paused. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Emulator } from '../azure-openai-emulator/emulator.ts';
import type { ConnectionRecord } from '../../src/lib/pool/connection-record.ts';
import type { HttpClientOptions } from '../../src/lib/pool/http-client.ts';
import { systemEnvironment } from './child-process.ts';

/** Asks `count` questions, `<name> 0` and so on, `concurrency` of them at a time (all, by default). */
export interface Command {
  name: string;
  count: number;
  concurrency?: number;
  /**
   * How: by completion (the default), as a stream, or as a stream that is left after its first chunk; `raw` is
   * undici's bare `request`, `warm` asks nothing and opens the connection.
   */
  how?: 'complete' | 'stream' | 'leave' | 'raw' | 'warm';
}

/** What became of them. */
export interface Report {
  /** In the order of the questions. */
  records: ConnectionRecord[];
  /** Codes of the errors. */
  failures: string[];
  openConnections: number;
  /** Of this process, user and system, from the first question to the last answer. */
  cpuMs: number;
  /** After a garbage collection, where the process may ask for one. */
  heapBytes: number;
}

/** A running one; it carries out one command at a time. */
export interface ModelProcess {
  process: ChildProcess;
  run(command: Command): Promise<Report>;
  stop(): Promise<void>;
}

/** Starts one; `url` may be that of a proxy in front of the emulator. */
export function startModelProcess(
  emulator: Emulator,
  options: HttpClientOptions = {},
  url = emulator.url,
): ModelProcess {
  const script = join(import.meta.dirname, 'model-process-child.ts');
  const args = ['--expose-gc', script, url, emulator.apiKey, JSON.stringify(options)];
  const child = spawn(process.execPath, args, {
    env: { ...systemEnvironment(), NODE_EXTRA_CA_CERTS: emulator.certificatePath },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    async run(command: Command): Promise<Report> {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return JSON.parse((await lines.next()).value ?? '') as Report;
    },
    async stop(): Promise<void> {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/**
 * Compares the records of the questions `<name> 0` and so on with the log: gives those that name another connection
 * than the one on which the request arrived, its number on it, or the attempts, wrongly.
 */
export function wrongRecords(emulator: Emulator, name: string, records: Report['records']): unknown[] {
  const socketOf = new Map<number, number>();
  const onSocket = new Map<number, number>();
  const arrivals = emulator.requests.map((request) => {
    const number = 1 + (onSocket.get(request.socket) ?? 0);
    onSocket.set(request.socket, number);
    return { question: request.messages.at(-1)?.content, socket: request.socket, number };
  });
  return records.filter((record, index) => {
    const own = arrivals.filter(({ question }) => question === `${name} ${index}`);
    const last = own.at(-1);
    const socket = socketOf.get(record.id) ?? last?.socket;
    if (socket !== undefined) socketOf.set(record.id, socket);
    return (
      last?.socket !== socket ||
      last?.number !== record.requestsOnConnection ||
      own.length !== record.attempts
    );
  });
}
