/** Azurite, the local stand-in for Azure Storage, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { freePort, stopChild } from './child-process.ts';

// The account that Azurite is made with; everyone knows its key. learn.microsoft.com/azure/storage/common/storage-connect-azurite
const ACCOUNT = 'devstoreaccount1';
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const STOP_TIMEOUT_MS = 3000;

const require = createRequire(import.meta.url);

/** A running Azurite. */
export interface Azurite {
  /** For the settings of an app; tables only where only tables run. */
  connectionString: string;
  /** Address of the table service. */
  url: string;
  process: ChildProcess;
  /** Stops it; it stores what it holds first. Gives the exit code. */
  stop(): Promise<number | null>;
}

/** Starts Azurite's table service on 127.0.0.1, on a free port if none is given, with its data in `folder`. */
export async function startAzuriteTables(folder: string, wantedPort?: number): Promise<Azurite> {
  // Azurite cannot tell which port it took if it chooses by itself.
  const port = wantedPort ?? (await freePort());
  const child = await run(
    'azurite/dist/src/table/main.js',
    folder,
    ['--tablePort', String(port)],
    /Table service successfully started/,
  );
  const url = `http://127.0.0.1:${port}/${ACCOUNT}`;
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${ACCOUNT_KEY};TableEndpoint=${url};`,
    url,
    process: child,
    stop: () => stopChild(child, 'shutdown', STOP_TIMEOUT_MS),
  };
}

/** Starts blob, queue and table on Azurite's own ports (10000 to 10002), where `UseDevelopmentStorage=true` looks. */
export async function startAzurite(folder: string): Promise<Azurite> {
  const child = await run(
    'azurite/dist/src/azurite.js',
    folder,
    [],
    /Table service is successfully listening/,
  );
  return {
    connectionString: 'UseDevelopmentStorage=true',
    url: `http://127.0.0.1:10002/${ACCOUNT}`,
    process: child,
    stop: () => stopChild(child, 'shutdown', STOP_TIMEOUT_MS),
  };
}

async function run(entry: string, folder: string, args: string[], ready: RegExp): Promise<ChildProcess> {
  mkdirSync(folder, { recursive: true });
  const preload = new URL('exit-with-parent.js', import.meta.url).href;
  const options = ['--location', folder, '--silent', '--skipApiVersionCheck', '--disableTelemetry', ...args];
  const child = spawn(process.execPath, ['--import', preload, require.resolve(entry), ...options], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Not in our process group: Ctrl-C must reach it last, when nothing is left to be stored.
    detached: process.platform !== 'win32',
  });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const read = (data: Buffer): void => {
      output += data.toString();
      if (ready.test(output)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`Azurite ended at its start (exit code ${code}):\n${output}`)),
    );
  });
  return child;
}
