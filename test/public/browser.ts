/** Opens the chat page in Chromium. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { launchBrowser } from '../support/programs.ts';

/** Starts the browser. @throws Error when none starts. */
export async function startBrowser(): Promise<Browser> {
  const browser = await launchBrowser();
  if (!browser) throw new Error('No browser starts here.');
  return browser;
}

/** A page, and the errors in its console except those of failed HTTP requests. */
export interface OpenPage {
  page: Page;
  problems: string[];
}

/** Opens an address in a new profile, which is closed when the test ends. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    const isServers = message.text().startsWith('Failed to load resource: the server responded');
    if (['error', 'warning'].includes(message.type()) && !isServers) problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

/** Asks a question with the keyboard, once the answer before it is complete: its text is there shortly before. */
export async function askInPage(page: Page, question: string): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).waitFor();
  await page.getByLabel('Your question').fill(question);
  await page.keyboard.press('Enter');
}

/** The number of pixels by which the page is wider than its window. */
export const overflow = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

/** The newest question with its answer. */
export const lastTurn = (page: Page) => page.locator('.turn').last();
