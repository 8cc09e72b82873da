/** The model of `npm start` while no model is configured. */
import { startEmulator } from '../azure-openai-emulator/emulator.ts';
import { startCompatibleServer } from './compatible-server.ts';
import { emulatorSettings } from './settings.ts';
import type { StartOptions } from './start-options.ts';

/** A running model. */
export interface LocalModel {
  /** For the banner. */
  description: string;
  /** The settings with which an app uses it. */
  settings: Record<string, string>;
  stop: () => Promise<void>;
}

/** About the speed of a real model. */
const TOKEN_DELAY_MS = 20;

/** Starts the model that the options name. */
export async function startLocalModel(options: StartOptions): Promise<LocalModel> {
  if (options.otherServer) return startOther();
  const { help: _, ...behaviour } = options.behaviour ?? { help: '' };
  const emulator = await startEmulator({
    latencyMs: options.modelLatencyMs,
    tokenDelayMs: TOKEN_DELAY_MS,
    ...behaviour,
  });
  return {
    description: `emulator at ${emulator.url} (AZURE_OPENAI_ENDPOINT is not set)`,
    settings: emulatorSettings(emulator),
    stop: emulator.close,
  };
}

async function startOther(): Promise<LocalModel> {
  const server = await startCompatibleServer();
  return {
    description: `OpenAI-compatible server at ${server.url} (AZURE_OPENAI_ENDPOINT is not set)`,
    settings: { AZURE_OPENAI_ENDPOINT: server.url, AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'llama3.2' },
    stop: () => server.close(),
  };
}
