/** What the tests of the page need: the app, a browser, and the fake server. Started for a file, and stopped after it. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { startApp, type TestApp } from '../support/app.ts';
import { startBrowser } from './browser.ts';
import { type StandIn, startStandIn } from './stand-in.ts';

interface Started {
  app: TestApp;
  browser: Browser;
}

/** Starts the app and a browser. `onStart` receives them once they run. */
export function useBrowser(onStart: (started: Started) => void): void {
  let started: Started | undefined;
  beforeAll(async () => {
    const [app, browser] = await Promise.all([startApp(), startBrowser()]);
    started = { app, browser };
    onStart(started);
  });
  afterAll(async () => {
    await started?.browser.close();
    await started?.app.stop();
  });
}

/** Starts the app, a browser, and a fake server that serves the page of the app. */
export function useStandIn(onStart: (started: Started & { server: StandIn }) => void): void {
  let server: StandIn | undefined;
  let started: Started;
  useBrowser((each) => (started = each));
  beforeAll(async () => {
    server = await startStandIn(started.app.url);
    onStart({ ...started, server });
  });
  afterAll(() => server?.close());
}
