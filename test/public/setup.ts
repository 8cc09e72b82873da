/** What the tests of the page need: the app, a browser, and the fake server. */
import type { Browser } from 'playwright-core';
import type { TestApp } from '../support/app.ts';
import { useApp, useRunning } from '../support/fixture.ts';
import { startBrowser } from './browser.ts';
import { type StandIn, startStandIn } from './stand-in.ts';

/** The browser of this worker: each test opens a profile of its own in it. It ends with the worker. */
let shared: Promise<Browser> | undefined;

/** An app, which other blocks may share, and a browser. */
export function useBrowser(): { app: TestApp; browser: Browser } {
  return { app: useApp(), browser: useRunning(() => (shared ??= startBrowser()), {}) };
}

/** An app, a browser, and a fake server that serves the page of the app. */
export function useStandIn(): { app: TestApp; browser: Browser; server: StandIn } {
  const started = useBrowser();
  const server = useRunning(() => startStandIn(started.app), { stop: (running) => running.close() });
  return { ...started, server };
}
