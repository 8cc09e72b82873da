/** `npm start`: runs the whole app locally, without Azure. */
import { once } from 'node:events';
import { join, relative } from 'node:path';
import { ConfigError, readConfig } from '../src/lib/config/config.ts';
import { type Azurite, startAzuriteTables } from './stack/azurite.ts';
import { type LocalModel, startLocalModel } from './stack/local-model.ts';
import { root } from './stack/root.ts';
import { buildApp } from './bundle/bundle.ts';
import { type HostProcess, HostStartError, startHostProcess } from './stack/host-process.ts';
import { readLocalSettings } from './stack/settings.ts';
import { readOptions, type StartOptions, UsageError, USAGE } from './stack/start-options.ts';

const DATA_FOLDER = join(root, '.data');

interface Stack {
  /** The model's address in the settings; of the local model, if there is one. */
  endpoint: string | undefined;
  localModel: LocalModel | null;
  azurite: Azurite | null;
  host: HostProcess;
}

/** Starts the stack, prints its addresses, and stops it on Ctrl-C, on SIGTERM, or when the host ends. */
export async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    console.log(USAGE);
    return;
  }
  try {
    process.exitCode = await serve(readOptions(args));
  } catch (error) {
    console.error(explain(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

/** Runs the stack until it is stopped. Returns the exit code. */
async function serve(options: StartOptions): Promise<number> {
  const running: { stop: () => Promise<unknown> }[] = [];
  try {
    const stack = await startStack(options, running);
    printBanner(stack, options);
    return await ended(stack.host);
  } catch (error) {
    if (error instanceof HostStartError && error.code === 'EADDRINUSE') {
      const { port } = options;
      throw new Error(`Port ${port} is in use. Choose another: npm start -- --port ${port + 1}`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    // In reverse order, so that the host stores its last answers before storage stops.
    for (const part of running.toReversed()) await part.stop();
  }
}

async function startStack(
  options: StartOptions,
  running: { stop: () => Promise<unknown> }[],
): Promise<Stack> {
  const settings = readLocalSettings();
  let localModel: LocalModel | null = null;
  if (!settings['AZURE_OPENAI_ENDPOINT']) {
    localModel = await startLocalModel(options);
    running.push(localModel);
    Object.assign(settings, localModel.settings);
  }
  // Separate files, so that emulated answers are never mixed with real ones.
  settings['ANSWER_CACHE_PATH'] ||= join(
    DATA_FOLDER,
    localModel ? 'emulated-answers.sqlite' : 'answers.sqlite',
  );
  const usesAzurite = needsAzurite(settings);
  if (usesAzurite) settings['AzureWebJobsStorage'] = 'UseDevelopmentStorage=true';
  // Checks the settings before the slow steps, so that errors appear immediately.
  readConfig(settings);
  // Builds while Azurite starts. A failure is handled by the await below.
  const built = buildApp();
  built.catch(() => {});
  const azurite = usesAzurite ? await startAzuriteTables(join(DATA_FOLDER, 'azurite-tables')) : null;
  if (azurite) {
    running.push(azurite);
    settings['AzureWebJobsStorage'] = azurite.connectionString;
  }
  await built;
  const { port, enableAuth } = options;
  const host = await startHostProcess({ root, port, env: settings, enableAuth });
  running.push(host);
  return { endpoint: settings['AZURE_OPENAI_ENDPOINT'], localModel, azurite, host };
}

/** Azurite is needed when no storage is set, or only `UseDevelopmentStorage=true`. */
function needsAzurite(settings: Record<string, string>): boolean {
  const storageSettings = [
    'SESSIONS_STORAGE_CONNECTION_STRING',
    'SESSIONS_TABLE_ENDPOINT',
    'AzureWebJobsStorage',
    'AzureWebJobsStorage__tableServiceUri',
    'AzureWebJobsStorage__accountName',
  ].map((name) => settings[name]);
  return storageSettings.every((value) => !value || value === 'UseDevelopmentStorage=true');
}

/** Returns 0 after a signal or a message from the parent process, 1 when the host ends by itself. */
async function ended(host: HostProcess): Promise<number> {
  return Promise.race([
    once(process, 'SIGINT').then(() => 0),
    once(process, 'SIGTERM').then(() => 0),
    once(process, 'message').then(() => 0),
    once(host.process, 'exit').then(() => 1),
  ]);
}

function printBanner({ endpoint, localModel, azurite, host }: Stack, options: StartOptions): void {
  const key = options.enableAuth ? [`x-functions-key: ${host.functionKey}`] : [];
  console.log(`
Azure Functions Ask

  Page      ${host.url}/
  Ask       ${host.url}/ask
  Host      local functions host, Node ${process.versions.node}${options.enableAuth ? '' : ', no keys required'}
  Model     ${localModel?.description ?? endpoint}
  Sessions  ${azurite ? `Azurite at ${azurite.url}` : 'the storage in the settings'}
  Data      ${relative(process.cwd(), DATA_FOLDER) || DATA_FOLDER}
${options.enableAuth ? `  Keys      function ${host.functionKey}, admin ${host.masterKey}\n` : ''}
Try it:

  ${curlLine(`${host.url}/ask`, key)}

Stop with Ctrl-C.
`);
}

function curlLine(url: string, headers: string[]): string {
  const options = ['Content-Type: application/json', ...headers].map((header) => `-H ${quote(header)}`);
  return `curl -s ${url} ${options.join(' ')} -d ${quote('{"question": "What is the capital of France?"}')}`;
}

/** Quotes an argument for the system's shell: cmd does not support single quotes. */
const quote = (text: string): string =>
  process.platform === 'win32' ? `"${text.replaceAll('"', '\\"')}"` : `'${text}'`;

function explain(error: unknown): string {
  if (error instanceof ConfigError) return ['The settings are invalid:', ...error.problems].join('\n- ');
  return error instanceof Error ? error.message : String(error);
}
