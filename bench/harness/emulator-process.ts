/** Runs the emulator in its own process, so that its CPU time is measured separately. */
import { fileURLToPath } from 'node:url';
import { startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { startNode } from '../../dev/stack/child-process.ts';

/** How the model answers further requests. */
export interface ModelBehaviour {
  /** Milliseconds before an answer. */
  latencyMs?: number;
  /** Milliseconds between the tokens of a stream. */
  tokenDelayMs?: number;
  /** The answer to the next `count` questions. */
  answers?: { content: string; count: number };
}

/** A running emulator. */
export interface EmulatorProcess {
  url: string;
  apiKey: string;
  certificatePath: string;
  pid: number;
  /** Resolves when the change is in effect. */
  behave(behaviour: ModelBehaviour): Promise<void>;
  stop(): Promise<number | null>;
}

const STOP_TIMEOUT_MS = 3000;

/** Starts the emulator, without latency. */
export async function startEmulatorProcess(): Promise<EmulatorProcess> {
  const child = startNode([fileURLToPath(import.meta.url)], { ipc: true, output: 'inherit' });
  const address = (await child.message()) as Pick<EmulatorProcess, 'url' | 'apiKey' | 'certificatePath'>;
  return {
    ...address,
    pid: child.process.pid ?? 0,
    async behave(behaviour) {
      child.process.send(behaviour);
      await child.message();
    },
    stop: () => child.stop('stop', STOP_TIMEOUT_MS),
  };
}

async function main(): Promise<void> {
  const emulator = await startEmulator();
  const stop = () => void emulator.close().then(() => process.exit(0));
  process.on('disconnect', stop);
  process.on('message', (message: 'stop' | ModelBehaviour) => {
    if (message === 'stop') {
      stop();
      return;
    }
    emulator.reset();
    emulator.latencyMs = message.latencyMs ?? 0;
    emulator.tokenDelayMs = message.tokenDelayMs ?? 0;
    const { content = '', count = 0 } = message.answers ?? {};
    emulator.failNext(...Array.from({ length: count }, () => ({ kind: 'answer' as const, content })));
    process.send?.('done');
  });
  const { url, apiKey, certificatePath } = emulator;
  process.send?.({ url, apiKey, certificatePath });
}

if (import.meta.main) await main();
