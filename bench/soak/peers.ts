/** The services that the app calls, in a process of their own: the emulated model, and the gate in front of Azurite. */
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../dev/azure-openai-emulator/faults.ts';
import { startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { startNode } from '../../dev/stack/child-process.ts';
import { answerTo } from './answers.ts';
import { type GateMode, startStorageGate } from './storage-gate.ts';

/** Where the services are. */
interface Addresses {
  url: string;
  apiKey: string;
  certificatePath: string;
  storagePort: number;
}

/** A command to the process. */
type Command =
  /** Gives a share of the chat requests a fault; none with a share of 0. */
  | { type: 'fault'; fault: Fault; share: number }
  | { type: 'gate'; mode: GateMode }
  /** The model breaks every connection, and refuses new ones for this time. Does not wait for its end. */
  | { type: 'pause'; ms: number }
  /** Asks for the number of model calls with this question. */
  | { type: 'calls'; question: string };

/** The running services. */
export interface Peers extends Addresses {
  /** Carries out a command. Gives the number that `calls` asks for; 0 for other commands. */
  send(command: Command): Promise<number>;
  stop(): Promise<number | null>;
}

const LATENCY_MS = 20;
const STOP_TIMEOUT_MS = 3000;
/** Questions whose calls are counted; the oldest is dropped first. */
const MAX_QUESTIONS = 50_000;

/** Starts the services. `azuritePort` is the port of Azurite's tables. */
export async function startPeers(azuritePort: number): Promise<Peers> {
  // Ctrl-C must not end it before the report.
  const args = [fileURLToPath(import.meta.url), String(azuritePort)];
  const child = startNode(args, { ipc: true, output: 'inherit', ownGroup: true });
  const addresses = (await child.message()) as Addresses;
  let sent = 0;
  return {
    ...addresses,
    send(command) {
      const id = ++sent;
      return new Promise((resolve) => {
        const listener = (reply: { id: number; result: number }): void => {
          if (reply.id !== id) return;
          child.process.off('message', listener);
          resolve(reply.result);
        };
        child.process.on('message', listener);
        child.process.send({ id, ...command });
      });
    },
    stop: () => child.stop('stop', STOP_TIMEOUT_MS),
  };
}

async function main(): Promise<void> {
  const calls = new Map<string, number>();
  const emulator = await startEmulator({
    latencyMs: LATENCY_MS,
    tokenDelayMs: 1,
    answers(messages) {
      const question = messages.at(-1)?.content ?? '';
      const call = (calls.get(question) ?? 0) + 1;
      calls.set(question, call);
      const [oldest] = calls.keys();
      if (calls.size > MAX_QUESTIONS && oldest !== undefined) calls.delete(oldest);
      return answerTo(messages, call);
    },
  });
  const gate = await startStorageGate(Number(process.argv[2]));
  const carryOut = async (command: Command): Promise<number> => {
    if (command.type === 'calls') return calls.get(command.question) ?? 0;
    if (command.type === 'gate') await gate.set(command.mode);
    if (command.type === 'pause') void emulator.pause(command.ms);
    if (command.type === 'fault') {
      const { fault, share } = command;
      emulator.fault = () => (Math.random() < share ? fault : undefined);
    }
    return 0;
  };
  const stop = () => void emulator.close().then(() => process.exit(0));
  process.on('disconnect', stop);
  process.on('message', (message: 'stop' | (Command & { id: number })) => {
    if (message === 'stop') stop();
    else void carryOut(message).then((result) => process.send?.({ id: message.id, result }));
  });
  const { url, apiKey, certificatePath } = emulator;
  process.send?.({ url, apiKey, certificatePath, storagePort: gate.port });
}

if (import.meta.main) await main();
