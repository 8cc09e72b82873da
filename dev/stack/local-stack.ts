/** The whole app on this machine: an emulated model, Azurite and the functions host, as far as the settings need them. */
import { join } from 'node:path';
import { readConfig } from '../../src/lib/config/config.ts';
import { buildAppIfChanged } from '../bundle/bundle.ts';
import { type Azurite, startAzuriteTables } from './azurite.ts';
import { isListening } from './child-process.ts';
import { takeDataFolder } from './data-folder.ts';
import { type HostProcess, startHostProcess } from './host-process.ts';
import { type LocalModel, startLocalModel } from './local-model.ts';
import { root } from './root.ts';
import { readLocalSettings } from './settings.ts';
import { MAX_PORT, type StartOptions, UsageError } from './start-options.ts';
import { readableOutput } from './terminal-log.ts';

/** The running parts. */
export interface LocalStack {
  /** The model's address in the settings; of the local model, if there is one. */
  endpoint: string | undefined;
  localModel: LocalModel | null;
  azurite: Azurite | null;
  host: HostProcess;
  /** Stops the host and starts it again, with the same port and keys. Sessions and the model stay. */
  restartHost(): Promise<void>;
  /** Stops all parts: first the host, so that it can store its last answers. */
  stop(): Promise<void>;
}

/**
 * Starts the stack, and prints what it does.
 * @throws ConfigError for invalid settings, UsageError for options that contradict them, Error when a part cannot start.
 */
export async function startLocalStack(options: StartOptions): Promise<LocalStack> {
  const { port, dataFolder, enableAuth, inspect } = options;
  if (port !== 0 && (await isListening(port)))
    throw new Error(
      `Port ${port} is in use. Choose another: npm start -- --port ${await freePortAfter(port)}`,
    );
  const release = takeDataFolder(dataFolder);
  const running: { stop: () => unknown }[] = [{ stop: release }];
  const stop = async (): Promise<void> => {
    for (const part of running.splice(0).toReversed()) await part.stop();
  };
  try {
    const settings = readLocalSettings();
    const localModel = await startModel(settings, options);
    if (localModel) running.push(localModel);
    const usesAzurite = needsAzurite(settings);
    if (usesAzurite) settings['AzureWebJobsStorage'] = 'UseDevelopmentStorage=true';
    // Checks the settings before the slow steps, so that errors appear immediately.
    readConfig(settings);
    console.log(usesAzurite ? 'Building the app, starting Azurite ...' : 'Building the app ...');
    // Builds while Azurite starts. A failure is handled by the await below.
    const built = buildAppIfChanged();
    built.catch(() => {});
    const azurite = usesAzurite ? await startAzuriteTables(join(dataFolder, 'azurite-tables')) : null;
    if (azurite) {
      running.push(azurite);
      settings['AzureWebJobsStorage'] = azurite.connectionString;
    }
    await built;
    console.log('Starting the functions host ...');
    const hostOptions = { root, port, env: settings, enableAuth, inspect, onOutput: readableOutput() };
    const host = await startHostProcess(hostOptions);
    const stack: LocalStack = {
      endpoint: settings['AZURE_OPENAI_ENDPOINT'],
      localModel,
      azurite,
      host,
      async restartHost() {
        await stack.host.stop();
        const { functionKey, masterKey } = stack.host;
        const keys = { FUNCTIONS_HOST_FUNCTION_KEY: functionKey, FUNCTIONS_HOST_MASTER_KEY: masterKey };
        const env = { ...settings, ...keys };
        stack.host = await startHostProcess({ ...hostOptions, port: Number(new URL(host.url).port), env });
      },
      stop,
    };
    running.push({ stop: () => stack.host.stop() });
    return stack;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The next port on which nothing listens; 0, which takes any free port, when there is none. */
async function freePortAfter(port: number): Promise<number> {
  for (let next = port + 1; next <= MAX_PORT; next++) if (!(await isListening(next))) return next;
  return 0;
}

/** Starts the emulated model unless the settings name a real one, and completes `settings`. */
async function startModel(
  settings: Record<string, string>,
  options: StartOptions,
): Promise<LocalModel | null> {
  const isReal = Boolean(settings['AZURE_OPENAI_ENDPOINT']);
  if (isReal && options.behaviour)
    throw new UsageError(
      'AZURE_OPENAI_ENDPOINT is set: only the emulated model can be slow, limited or failing.',
    );
  const localModel = isReal ? null : await startLocalModel(options);
  Object.assign(settings, localModel?.settings);
  // Separate files, so that emulated answers are never mixed with real ones.
  const file = localModel ? 'emulated-answers.sqlite' : 'answers.sqlite';
  settings['ANSWER_CACHE_PATH'] ||= join(options.dataFolder, file);
  return localModel;
}

/** Azurite is needed when no storage is set, or only `UseDevelopmentStorage=true`. */
function needsAzurite(settings: Record<string, string>): boolean {
  const storageSettings = [
    'SESSIONS_STORAGE',
    'AzureWebJobsStorage',
    'AzureWebJobsStorage__tableServiceUri',
    'AzureWebJobsStorage__accountName',
  ].map((name) => settings[name]);
  return storageSettings.every((value) => !value || value === 'UseDevelopmentStorage=true');
}
