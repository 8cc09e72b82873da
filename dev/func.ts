/**
 * `npm run func`: `func start` (the user's Azure Functions Core Tools) with the project's Node, Azurite and the
 * emulator.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { startEmulator } from './azure-openai-emulator/emulator.ts';
import { startAzurite } from './stack/azurite.ts';
import { root } from './stack/root.ts';
import { buildApp } from './bundle/bundle.ts';
import { isListening } from './stack/child-process.ts';
import { emulatorSettings, readLocalSettings } from './stack/settings.ts';

const AZURITE_TABLE_PORT = 10_002;
const NO_FUNC = `"func" was not found: npm run func needs the Azure Functions Core Tools, version 4.
Get them with "npm install --global azure-functions-core-tools@4", "winget install Microsoft.Azure.FunctionsCoreTools"
or "brew install azure/functions/azure-functions-core-tools@4". Without them, "npm start" runs the same app.`;

/** The help text. */
export const help = `npm run func -- [options of func start]

Runs the app under the Azure Functions Core Tools, if you have them, with Azurite and the emulated model unless
AZURE_OPENAI_ENDPOINT is set. Makes local.settings.json from the example when there is none.`;

/** Runs until `func` ends. `args` are passed to `func start`. */
export async function main(args: string[]): Promise<void> {
  // On Windows `func` is a script, which needs a shell.
  const shell = process.platform === 'win32';
  if (spawnSync('func', ['--version'], { shell }).status !== 0) {
    console.error(NO_FUNC);
    process.exitCode = 1;
    return;
  }
  createLocalSettings();
  await buildApp();
  const settings = readLocalSettings();
  const azurite = (await isListening(AZURITE_TABLE_PORT, '127.0.0.1'))
    ? null
    : await startAzurite(join(root, '.data', 'azurite'));
  const emulator = settings['AZURE_OPENAI_ENDPOINT']
    ? null
    : await startEmulator({ latencyMs: 300, tokenDelayMs: 20 });
  console.log(
    `Azurite: ${azurite ? 'started' : 'already running'}. Model: ${emulator ? `emulator at ${emulator.url}` : settings['AZURE_OPENAI_ENDPOINT']}.`,
  );

  const func = spawn('func', ['start', ...args], {
    cwd: root,
    shell,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(emulator && emulatorSettings(emulator)),
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    },
  });
  // Ctrl-C reaches func directly; this process waits until func has ended.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => func.kill('SIGTERM'));
  const [code] = (await once(func, 'exit')) as [number | null];
  await emulator?.close();
  await azurite?.stop();
  process.exitCode = code ?? 1;
}

function createLocalSettings(): void {
  const file = join(root, 'local.settings.json');
  if (existsSync(file)) return;
  copyFileSync(join(root, 'local.settings.example.json'), file);
  console.log('Created local.settings.json from local.settings.example.json.');
}
