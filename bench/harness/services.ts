/**
 * The services that the app calls, in a process of their own, so that their CPU time is measured separately: the emulated
 * model, and the gate in front of Azurite.
 */
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../dev/azure-openai-emulator/faults.ts';
import { startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { startNode } from '../../dev/stack/child-process.ts';
import { answerTo } from '../soak/answers.ts';
import { type GateMode, startStorageGate } from './storage-gate.ts';

/** Where the services are. */
interface Addresses {
  url: string;
  apiKey: string;
  certificatePath: string;
  /** Port of the gate; null without one. */
  storagePort: number | null;
}

/** How the model answers further requests. */
export interface ModelBehaviour {
  /** Milliseconds before an answer. */
  latencyMs?: number;
  /** Milliseconds between the tokens of a stream. */
  tokenDelayMs?: number;
  /** The answer to the next `count` questions. */
  answers?: { content: string; count: number };
}

/** A command to the process. */
type Command =
  | ({ type: 'behave' } & ModelBehaviour)
  /** Gives a share of the chat requests a fault; none with a share of 0. */
  | { type: 'fault'; fault: Fault; share: number }
  | { type: 'gate'; mode: GateMode }
  /** The model breaks every connection, and refuses new ones for this time. Does not wait for its end. */
  | { type: 'pause'; ms: number }
  /** Asks for the number of model calls with this question, if the answers have a digest. */
  | { type: 'calls'; question: string };

/** The running services. */
export interface Services extends Addresses {
  /** Carries out a command. Gives the number that `calls` asks for; 0 for other commands. */
  send(command: Command): Promise<number>;
  stop(): Promise<number | null>;
}

const STOP_TIMEOUT_MS = 3000;

/**
 * Starts the model, without latency. With the port of Azurite's tables also the gate; the answers then contain a digest of
 * their prompt, and come after 20 ms.
 */
export async function startServices(azuritePort?: number): Promise<Services> {
  // Ctrl-C must not end it before the report.
  const args = [fileURLToPath(import.meta.url), ...(azuritePort === undefined ? [] : [String(azuritePort)])];
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

/** Number of calls by question: a few megabytes in an hour. */
const calls = new Map<string, number>();

function digestAnswer(messages: Parameters<typeof answerTo>[0]): string {
  const question = messages.at(-1)?.content ?? '';
  const call = (calls.get(question) ?? 0) + 1;
  calls.set(question, call);
  return answerTo(messages, call);
}

async function main(azuritePort: string | undefined): Promise<void> {
  const isChecked = azuritePort !== undefined;
  const emulator = await startEmulator(
    isChecked ? { latencyMs: 20, tokenDelayMs: 1, answers: digestAnswer } : {},
  );
  const gate = isChecked ? await startStorageGate(Number(azuritePort)) : null;
  const carryOut = async (command: Command): Promise<number> => {
    if (command.type === 'calls') return calls.get(command.question) ?? 0;
    if (command.type === 'gate') await gate?.set(command.mode);
    if (command.type === 'pause') void emulator.pause(command.ms);
    if (command.type === 'fault') {
      const { fault, share } = command;
      emulator.fault = () => (Math.random() < share ? fault : undefined);
    }
    if (command.type === 'behave') {
      emulator.reset();
      const { latencyMs = 0, tokenDelayMs = 0, answers: { content = '', count = 0 } = {} } = command;
      Object.assign(emulator, { latencyMs, tokenDelayMs });
      emulator.failNext(...Array.from({ length: count }, () => ({ kind: 'answer' as const, content })));
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
  process.send?.({ url, apiKey, certificatePath, storagePort: gate?.port ?? null } satisfies Addresses);
}

if (import.meta.main) await main(process.argv[2]);
