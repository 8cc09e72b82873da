/** Boots the real app for tests: the built app in the functions host, over Azurite and the emulator. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../dev/azure-openai-emulator/emulator.ts';
import { root } from '../../dev/stack/root.ts';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import { type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import type { AskFields } from '../../src/lib/contract/ask-fields.ts';
import type { Environment } from '../../src/lib/config/config.ts';
import { holdToContract } from './contract.ts';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';

/** How a test wants its app. */
export interface AppOptions {
  /** Settings beside those of the emulator and Azurite, which they override. `undefined` unsets one. */
  env?: Environment;
  emulator?: EmulatorOptions;
  enableAuth?: boolean;
  /** Folder of the function app; the checkout by default. */
  root?: string;
}

/** An app under test, with an emulator and a cache file of its own. Sessions are shared by all: use unique ids. */
export interface TestApp {
  url: string;
  host: HostProcess;
  emulator: Emulator;
  /** What the host and the app have printed so far. */
  output: () => string;
  stop: () => Promise<number | null>;
}

/** Starts an app. Keeping warm is off unless `env` turns it on, so that tests see every connection being made. */
export async function startApp({
  env = {},
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
      AzureWebJobsStorage: inject('storage'),
      ANSWER_CACHE_PATH: join(folder, 'answers.sqlite'),
      KEEP_WARM_MINUTES: '0',
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
    async stop() {
      const code = await host.stop();
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/** Asks, and gives the answer of a 200. @throws Error with the body for any other status. */
export async function ask(
  app: TestApp,
  fields: AskFields,
  headers?: Record<string, string>,
): Promise<Answer> {
  const response = await post(app, JSON.stringify(fields), headers);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** Asks, and gives the status, the headers and the body of an answer that is expected to be an error. */
export async function askForError(app: TestApp, body: unknown, headers?: Record<string, string>) {
  const response = await post(app, typeof body === 'string' ? body : JSON.stringify(body), headers);
  return { status: response.status, headers: response.headers, body: (await response.json()) as ErrorBody };
}

/** Posts a body to /ask as JSON. */
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

/** Waits until `condition` holds. @throws Error when it does not within `timeoutMs` milliseconds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`The condition did not come true within ${timeoutMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** For sorting numbers. */
export const ascending = (a: number, b: number): number => a - b;
