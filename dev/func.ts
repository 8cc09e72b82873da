/**
 * `npm run func`: `func start` (the user's Azure Functions Core Tools) with the project's Node, Azurite and the
 * emulator.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { startEmulator } from './azure-openai-emulator/emulator.ts';
import { startAzurite } from './stack/azurite.ts';
import { root } from './stack/root.ts';
import { buildAppIfChanged } from './bundle/bundle.ts';
import { isListening } from './stack/child-process.ts';
import { emulatorSettings, readLocalSettings } from './stack/settings.ts';

const AZURITE_TABLE_PORT = 10_002;
/** The app stops within 4 s. Everything must have ended within 10 s. */
const STOP_WITHIN_MS = 8000;
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
  await buildAppIfChanged();
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
    // A process group of its own, so that signals reach the host and its worker, and none is left behind.
    detached: !shell,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(emulator && emulatorSettings(emulator)),
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    },
  });
  const stop = (): void => stopFunc(func);
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const [code] = (await once(func, 'exit')) as [number | null];
  killGroup(func, 'SIGKILL');
  await emulator?.close();
  await azurite?.stop();
  process.exitCode = code ?? 1;
}

/**
 * Stops the host, which ignores SIGTERM, by SIGINT. The worker gets the signal too, because the host would tell it only
 * after the open streams have ended, up to 30 s later. What is left after {@link STOP_WITHIN_MS} is killed.
 */
function stopFunc(func: ChildProcess): void {
  // On Windows Ctrl-C has reached both already.
  killGroup(func, 'SIGINT');
  setTimeout(() => killGroup(func, 'SIGKILL'), STOP_WITHIN_MS).unref();
}

function killGroup({ pid }: ChildProcess, signal: 'SIGINT' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    if (process.platform !== 'win32') process.kill(-pid, signal);
    else if (signal === 'SIGKILL') spawnSync('taskkill', ['/pid', String(pid), '/T', '/F']);
  } catch {
    // All of them have ended.
  }
}

function createLocalSettings(): void {
  const file = join(root, 'local.settings.json');
  if (existsSync(file)) return;
  copyFileSync(join(root, 'local.settings.example.json'), file);
  console.log('Created local.settings.json from local.settings.example.json.');
}
