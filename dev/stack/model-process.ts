/** Runs the model client in a child process, which trusts the emulator's certificate and can be paused by a signal. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Emulator } from '../azure-openai-emulator/emulator.ts';
import type { ConnectionRecord } from '../../src/lib/pool/connection-record.ts';
import type { HttpClientOptions } from '../../src/lib/pool/http-client.ts';
import { startNode, systemEnvironment } from './child-process.ts';

/** Asks `count` questions named `<name> 0`, `<name> 1`..., with `concurrency` at a time (all of them by default). */
export interface Command {
  name: string;
  count: number;
  concurrency?: number;
  /**
   * `complete` (the default) waits for the answer, `stream` reads a stream, `abort` ends a stream after its first
   * chunk, `raw` uses undici's `request` directly, `warm` only opens the connection.
   */
  how?: 'complete' | 'stream' | 'abort' | 'raw' | 'warm';
}

/** The results of a command. */
export interface Report {
  /** In the order of the questions. */
  records: ConnectionRecord[];
  /** Error codes of the failed questions. */
  failures: string[];
  openConnections: number;
  /** User and system CPU time of the child process, from the first question to the last answer. */
  cpuMs: number;
  /** Heap in use after a garbage collection. */
  heapBytes: number;
}

/** A running model process. It executes one command at a time. */
export interface ModelProcess {
  process: ChildProcess;
  run(command: Command): Promise<Report>;
  stop(): Promise<void>;
}

/** Starts a model process. `url` may be the address of a proxy in front of the emulator. */
export function startModelProcess(
  emulator: Emulator,
  options: HttpClientOptions = {},
  url = emulator.url,
): ModelProcess {
  const script = join(import.meta.dirname, 'model-process-child.ts');
  const args = ['--expose-gc', script, url, emulator.apiKey, JSON.stringify(options)];
  const env = { ...systemEnvironment(), NODE_EXTRA_CA_CERTS: emulator.certificatePath };
  const child = startNode(args, { env, ipc: true, output: 'inherit' });
  return {
    process: child.process,
    async run(command: Command): Promise<Report> {
      child.process.send(command);
      return (await child.message()) as Report;
    },
    async stop(): Promise<void> {
      await child.kill();
    },
  };
}

/**
 * Compares the connection records of the questions `<name> 0`, `<name> 1`... with the emulator's log. Returns the
 * records whose connection, number of requests on the connection, or number of attempts is wrong.
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
