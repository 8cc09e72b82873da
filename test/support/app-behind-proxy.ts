/** An app whose requests to Table Storage pass through a proxy that can make them fail. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { ask, newQuestion, startApp, type TestApp } from './app.ts';
import { startStorageProxy, type StorageProxy } from './storage-proxy.ts';

/**
 * Starts the app and its proxy before the tests of the current block, resets both before each test, and stops both at
 * the end. `onStart` receives them once they run.
 */
export function useAppBehindProxy(onStart: (started: { app: TestApp; proxy: StorageProxy }) => void): void {
  let proxy: StorageProxy;
  let app: TestApp;
  beforeAll(async () => {
    proxy = await startStorageProxy();
    app = await startApp({ env: { SESSIONS_STORAGE_CONNECTION_STRING: proxy.connectionString } });
    onStart({ app, proxy });
    // The first question may have to create the table.
    await ask(app, { question: newQuestion() });
  });
  beforeEach(() => {
    proxy.reset();
    app.emulator.reset();
  });
  afterAll(async () => {
    await app.stop();
    await proxy.close();
  });
}
