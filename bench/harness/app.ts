/** The whole app for benchmarks: the built app in the functions host, on Azurite and the emulator. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../dev/azure-openai-emulator/emulator.ts';
import { startAzuriteTables } from '../../dev/stack/azurite.ts';
import { root } from '../../dev/stack/root.ts';
import { buildApp } from '../../dev/bundle/bundle.ts';
import { type HostOptions, type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';

/** A running app. */
export interface BenchApp {
  url: string;
  emulator: Emulator;
  host: HostProcess;
}

/** Starts an app, calls `use` with it, and stops it. `hostOptions` override how its output is handled. */
export async function withApp(
  options: EmulatorOptions,
  use: (app: BenchApp) => Promise<void>,
  hostOptions: Pick<HostOptions, 'inspect' | 'onOutput'> = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  const [azurite, emulator] = await Promise.all([
    startAzuriteTables(folder),
    startEmulator(options),
    buildApp(),
  ]);
  const host = await startHostProcess({
    root,
    port: 0,
    env: {
      ...process.env,
      ...emulatorSettings(emulator),
      AzureWebJobsStorage: azurite.connectionString,
      ANSWER_CACHE_PATH: join(folder, 'answers.sqlite'),
    },
    onOutput: (text) => process.env['BENCH_VERBOSE'] && process.stderr.write(text),
    ...hostOptions,
  });
  try {
    await use({ url: host.url, emulator, host });
  } finally {
    await host.stop();
    await Promise.all([emulator.close(), azurite.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
