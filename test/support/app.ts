/** Starts the real app for tests: the built app in the functions host, with Azurite and the emulator. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../dev/azure-openai-emulator/emulator.ts';
import { root } from '../../dev/stack/root.ts';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import { type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import type { AskFields } from '../../src/lib/contract/ask-fields.ts';
import type { Environment } from '../../src/lib/config/config.ts';
import { holdToContract } from './contract.ts';
import { storage } from './azurite.ts';

/** Options of {@link startApp}. */
export interface AppOptions {
  /** Settings that override those of the emulator and Azurite. `undefined` unsets a setting. */
  env?: Environment;
  /** The path in the address of the model; none by default. */
  modelPath?: string;
  emulator?: EmulatorOptions;
  enableAuth?: boolean;
  /** Folder of the function app; the project by default. */
  root?: string;
}

/** An app under test, with its own emulator and cache file. All apps of a worker share one session storage: use unique ids. */
export interface TestApp {
  url: string;
  host: HostProcess;
  emulator: Emulator;
  /** The output of the host and the app since the start, or since the last {@link reset}. */
  output: () => string;
  /** Resets the emulator, and forgets the output. */
  reset: () => void;
  stop: () => Promise<number | null>;
}

/**
 * Starts an app. Keep-warm is off unless `env` enables it, so that it opens no connections beside those of questions.
 */
export async function startApp({
  env = {},
  modelPath = '',
  emulator: emulatorOptions,
  ...options
}: AppOptions = {}): Promise<TestApp> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-test-'));
  const emulator = await startEmulator(emulatorOptions);
  let output = '';
  const host = await startHostProcess({
    root,
    port: 0,
    onOutput: (text) => (output += text),
    env: {
      ...systemEnvironment(),
      ...emulatorSettings(emulator),
      AzureWebJobsStorage: storage,
      ANSWER_CACHE_PATH: join(folder, 'answers.sqlite'),
      KEEP_WARM_MINUTES: '0',
      ...(modelPath && { AZURE_OPENAI_ENDPOINT: emulator.url + modelPath }),
      ...env,
    },
    ...options,
  });
  holdToContract(host.url);
  return {
    url: host.url,
    host,
    emulator,
    output: () => output,
    reset() {
      emulator.reset();
      output = '';
    },
    async stop() {
      const code = await host.stop();
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/** Asks a question and returns the answer. @throws Error with the response body when the status is not 200. */
export async function ask(
  app: TestApp,
  fields: AskFields,
  headers?: Record<string, string>,
): Promise<Answer> {
  const response = await post(app, JSON.stringify(fields), headers);
  // The reason of an internal error is only in the log.
  if (response.status !== 200)
    throw new Error(`${response.status}: ${await response.text()}\n${app.output().slice(-4000)}`);
  return (await response.json()) as Answer;
}

/** Asks a question that is expected to fail. Returns the status, the headers and the body of the error. */
export async function askForError(app: TestApp, body: unknown, headers?: Record<string, string>) {
  const response = await post(app, typeof body === 'string' ? body : JSON.stringify(body), headers);
  return { status: response.status, headers: response.headers, body: (await response.json()) as ErrorBody };
}

/** Posts a JSON body to /ask. */
export function post(
  app: TestApp,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${app.url}/ask`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: body ?? null,
  });
}

/** Returns a question that no other test asks, so that no cached answer exists. */
export const newQuestion = (): string => `Question ${randomUUID()}`;

/** Waits until `condition` is true. @throws Error after `timeoutMs` milliseconds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`The condition did not become true within ${timeoutMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Compares numbers for sorting. */
export const ascending = (a: number, b: number): number => a - b;
