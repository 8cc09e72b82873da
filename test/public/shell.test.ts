/**
 * The frame of the page: its columns and sheets, the menu, the theme, and the parts that are loaded late.
 * @module-tag browser
 * @module-tag long
 */
import type { BrowserContextOptions } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app, browser } = useBrowser();

const open = (width: number, options: BrowserContextOptions = {}) =>
  openPage(browser, app.url, { viewport: { width, height: 700 }, ...options });

describe.each([
  ['Conversations', '#list', 320, 768],
  ['Measurements', '#panel', 1279, 1280],
])('%s', (name, column, narrow, wide) => {
  it('is a column that can be hidden, which a reload remembers', async () => {
    const { page, problems } = await open(wide);
    const toggle = page.getByRole('button', { name, exact: true });
    expect(await page.locator(column).isVisible()).toBe(true);
    expect(await toggle.getAttribute('aria-expanded')).toBe('true');
    await toggle.click();
    expect(await page.locator(column).isVisible()).toBe(false);
    await page.reload();
    expect(await page.locator(column).isVisible()).toBe(false);
    expect(await toggle.getAttribute('aria-expanded')).toBe('false');
    await toggle.press('Enter');
    expect(await page.locator(column).isVisible()).toBe(true);
    expect(problems).toEqual([]);
  });

  it('is a sheet without room for a column; Escape closes it and returns the focus', async () => {
    const { page, problems } = await open(narrow);
    const toggle = page.getByRole('button', { name, exact: true });
    expect(await page.locator(column).isVisible()).toBe(false);
    await toggle.press('Enter');
    const sheet = page.getByRole('dialog', { name });
    await sheet.waitFor();
    expect(await page.evaluate('document.activeElement.closest("dialog") !== null')).toBe(true);
    await page.keyboard.press('Escape');
    await sheet.waitFor({ state: 'hidden' });
    expect(await page.evaluate('document.activeElement.id')).toBe(await toggle.getAttribute('id'));
    expect(problems).toEqual([]);
  });

  it('moves between sheet and column when the window changes', async () => {
    const { page } = await open(narrow);
    await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('dialog', { name }).waitFor();
    await page.setViewportSize({ width: wide, height: 700 });
    await page.locator(column).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.locator(`${column}-content`).isVisible()).toBe(true);
  });
});

it('starts a new conversation from the sheet of a phone', async () => {
  const { page } = await open(320);
  await askInPage(page, 'What is the capital of Kenya?');
  await lastTurn(page).getByText('Nairobi').waitFor();
  await page.getByRole('button', { name: 'Conversations' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'New conversation' }).click();
  await page.getByText('What would you like to know?').waitFor();
  expect(await page.getByRole('dialog').count()).toBe(0);
  expect(await page.evaluate('document.activeElement.id')).toBe('question');
});

it('has the first question as its title', async () => {
  const { page } = await open(1280);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('New conversation');
  await askInPage(page, 'What is the capital of Japan?');
  await lastTurn(page).getByText('Tokyo').waitFor();
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('What is the capital of Japan?');
});

describe('the menu', () => {
  it('is used with the keyboard alone', async () => {
    const { page, problems } = await open(1280);
    const more = page.getByRole('button', { name: 'More' });
    const focused = () => page.evaluate<string>('document.activeElement.textContent');
    await more.press('ArrowDown');
    expect(await focused()).toBe('System');
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toBe('Keyboard shortcuts');
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('System');
    await page.keyboard.press('d');
    expect(await focused()).toBe('Dark');
    await page.keyboard.press('Home');
    expect(await focused()).toBe('System');
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'hidden' });
    expect(await page.evaluate('document.activeElement.id')).toBe('more');
    expect(problems).toEqual([]);
  });

  it('closes at a second press of its button, and at a press elsewhere', async () => {
    const { page } = await open(1280);
    const more = page.getByRole('button', { name: 'More' });
    for (const press of [() => more.click(), () => page.getByRole('heading', { level: 1 }).click()]) {
      await more.click();
      await page.getByRole('menu').waitFor();
      await press();
      await page.getByRole('menu').waitFor({ state: 'hidden' });
      // The event `toggle` comes a moment later.
      await expect.poll(() => more.getAttribute('aria-expanded')).toBe('false');
    }
  });

  it('chooses the theme, which a reload keeps', async () => {
    const { page } = await open(1280, { colorScheme: 'light' });
    const background = () =>
      page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
    const light = await background();
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitemradio', { name: 'Dark' }).click();
    const dark = await background();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await background()).toBe(dark);
    await page.getByRole('button', { name: 'More' }).click();
    expect(await page.getByRole('menuitemradio', { checked: true }).innerText()).toBe('Dark');
    await page.getByRole('menuitemradio', { name: 'System' }).click();
    expect(await background()).toBe(light);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).toBe(dark);
  });
});

it('loads a part late, under its policy, and once', async () => {
  const { page, problems } = await open(1280);
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  for (const times of [1, 2]) {
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).click();
    await page.getByRole('dialog').getByText('Send the question').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    // What late parts have in common is a file of its own.
    const parts = loaded.filter((path) => !path.startsWith('/assets/chunk-'));
    expect([times, parts]).toEqual([times, [expect.stringMatching(/^\/assets\/shortcuts[\w.-]+\.js$/)]]);
    expect(new Set(loaded).size).toBe(loaded.length);
  }
  expect(problems).toEqual([]);
});

it('says so when a part cannot be loaded, and tries again on request', async () => {
  const { page } = await open(1280);
  await page.route('**/assets/*', (route) => route.abort());
  const show = async () => {
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).click();
  };
  await show();
  await page.getByText('This part of the page could not be loaded.').waitFor();
  await page.unroute('**/assets/*');
  await show();
  await page.getByRole('dialog').getByText('Send the question').waitFor();
});

it('works in a browser that forbids storage', async () => {
  const { page, problems } = await openPage(browser, 'about:blank');
  await page.addInitScript(`for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, { get() { throw new DOMException('No', 'SecurityError'); } });`);
  await page.goto(app.url);
  await page.getByRole('button', { name: 'Measurements' }).click();
  expect(await page.locator('#panel').isVisible()).toBe(false);
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitemradio', { name: 'Dark' }).click();
  await askInPage(page, 'What is the capital of Italy?');
  await lastTurn(page).getByText('Rome').waitFor();
  expect(problems).toEqual([]);
});

it('copies an answer as Markdown, and says so', async () => {
  const { page, problems } = await open(1280, { permissions: ['clipboard-read', 'clipboard-write'] });
  app.emulator.failNext({ kind: 'answer', content: 'Some **bold** text' });
  await askInPage(page, 'Copy me');
  await page.getByRole('button', { name: 'Copy answer' }).click();
  await page.getByText('The answer was copied.').waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe('Some **bold** text');
  expect(problems).toEqual([]);
});
