/** Runs Azurite, the local emulator of Azure Storage, as a child process. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Child, onFreePort, startNode } from './child-process.ts';

// Azurite's built-in account and its public key: learn.microsoft.com/azure/storage/common/storage-connect-azurite
const ACCOUNT = 'devstoreaccount1';
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const STOP_TIMEOUT_MS = 3000;

const require = createRequire(import.meta.url);

/** A running Azurite. */
export interface Azurite {
  /** Connection string for the app's settings. It covers only tables if only tables run. */
  connectionString: string;
  /** Address of the table service. */
  url: string;
  process: ChildProcess;
  /** Stops Azurite, which first saves its data. Returns the exit code. */
  stop(): Promise<number | null>;
}

/** Starts Azurite's table service on 127.0.0.1, on `port` or a free port, with its data in `folder`, or in memory without one. */
export async function startAzuriteTables(folder?: string, port?: number): Promise<Azurite> {
  // Azurite does not report the port that it chose itself.
  if (port === undefined) return onFreePort((free) => startAzuriteTables(folder, free));
  const child = await run(
    'azurite/dist/src/table/main.js',
    folder,
    ['--tablePort', String(port)],
    'Table service successfully started',
  );
  const url = `http://127.0.0.1:${port}/${ACCOUNT}`;
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${ACCOUNT_KEY};TableEndpoint=${url};`,
    url,
    process: child.process,
    stop: () => child.stop('shutdown', STOP_TIMEOUT_MS),
  };
}

/** Starts the blob, queue and table services on the ports 10000 to 10002, which `UseDevelopmentStorage=true` means. */
export async function startAzurite(folder: string): Promise<Azurite> {
  const child = await run(
    'azurite/dist/src/azurite.js',
    folder,
    [],
    'Table service is successfully listening',
  );
  return {
    connectionString: 'UseDevelopmentStorage=true',
    url: `http://127.0.0.1:10002/${ACCOUNT}`,
    process: child.process,
    stop: () => child.stop('shutdown', STOP_TIMEOUT_MS),
  };
}

async function run(entry: string, folder: string | undefined, args: string[], ready: string): Promise<Child> {
  if (folder) mkdirSync(folder, { recursive: true });
  const preload = new URL('exit-with-parent.js', import.meta.url).href;
  const data = folder ? ['--location', folder] : ['--inMemoryPersistence'];
  const options = [...data, '--silent', '--skipApiVersionCheck', '--disableTelemetry', ...args];
  // Ctrl-C must not stop Azurite before the host has stored its last answers.
  const child = startNode(['--import', preload, require.resolve(entry), ...options], {
    ipc: true,
    ownGroup: true,
  });
  await child.printed(ready);
  return child;
}
