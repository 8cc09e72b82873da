/**
 * The chat page in Chromium with the real app.
 * @module-tag browser
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually, startApp } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app, browser } = useBrowser();

const sessionOf = (page: Page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('session');

describe('a conversation', () => {
  it('answers a question and a follow-up, and shows the source of each answer', async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askInPage(page, 'What is the capital of France?');
    await lastTurn(page).getByText('The capital of France is Paris.').waitFor();
    await askInPage(page, 'What about Spain?');
    await lastTurn(page).getByText('The capital of Spain is Madrid.').waitFor();
    expect(await lastTurn(page).locator('.facts').innerText()).toMatch(/^Model, [\d.]+\sm?s$/);
    expect(await page.locator('#measured rect').count()).toBe(2);
    expect(problems).toEqual([]);
  });

  it('shows that an answer was cached', async () => {
    const { page } = await openPage(browser, app.url);
    for (const times of [1, 2]) {
      await page.getByRole('button', { name: 'New conversation' }).click();
      await askInPage(page, 'What is the capital of Kenya?');
      // The details appear when the answer is stored, shortly after its text.
      await page
        .locator('#measured rect')
        .nth(times - 1)
        .waitFor({ state: 'attached' });
      expect(await lastTurn(page).innerText()).toContain('Nairobi');
      expect(await page.locator('#measured rect').count()).toBe(times);
    }
    expect(await lastTurn(page).locator('.facts').innerText()).toMatch(/^Cached, [\d.]+\sm?s$/);
    expect(await page.locator('#measured rect.cached').count()).toBe(1);
    expect(await page.getByRole('row', { name: /^Cached 1/ }).count()).toBe(1);
  });

  it(
    'keeps its session id in the URL fragment, and starts a new one on request',
    { tags: ['long'] },
    async () => {
      const { page } = await openPage(browser, app.url);
      await askInPage(page, 'My name is Ada');
      await lastTurn(page).getByText('Nice to meet you').waitFor();
      const first = sessionOf(page);
      expect(first).toMatch(/^[\da-f-]{36}$/);
      await page.getByRole('button', { name: 'New conversation' }).click();
      expect(sessionOf(page)).toBeNull();
      expect(await page.locator('.turn').count()).toBe(0);
      await askInPage(page, 'What is my name?');
      await lastTurn(page).getByText('You have not told me your name.').waitFor();
      expect(sessionOf(page)).not.toBe(first);
    },
  );

  it.each(sampled(['', '.', '..', '%2e%2e', 'x'.repeat(257)]))(
    'starts a new session when the URL has an invalid session id: "%.20s"',
    { tags: ['long'] },
    async (id) => {
      const { page, problems } = await openPage(browser, `${app.url}/#session=${id}`);
      await page.getByRole('button', { name: 'What is the capital of' }).first().waitFor();
      await askInPage(page, 'What is the capital of Spain?');
      await lastTurn(page).getByText('Madrid').waitFor();
      expect(await page.locator('#notice').innerText()).toBe('');
      expect(problems).toEqual([]);
    },
  );

  it('is restored after a reload', { tags: ['long'] }, async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askInPage(page, 'What is the capital of Italy?');
    await lastTurn(page).locator('.facts').waitFor();
    await page.reload();
    await lastTurn(page).getByText('The capital of Italy is Rome.').waitFor();
    expect(await page.locator('.turn').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('shows an answer while it is streamed', { tags: ['long'] }, async () => {
    const { page } = await openPage(browser, app.url);
    app.emulator.tokenDelayMs = 100;
    app.emulator.failNext({ kind: 'answer', content: 'First words. '.repeat(30) });
    await askInPage(page, 'Say much, slowly.');
    await lastTurn(page).getByText('First words.').waitFor();
    expect(app.emulator.requests.at(-1)?.status).toBe(200);
    expect(await lastTurn(page).locator('.facts').count()).toBe(0);
    await lastTurn(page).locator('.facts').waitFor();
  });

  it('continues after a reload', { tags: ['long'] }, async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askInPage(page, 'My name is Grace');
    await lastTurn(page).getByText('Nice to meet you').waitFor();
    await page.reload();
    await lastTurn(page).getByText('Nice to meet you').waitFor();
    await askInPage(page, 'What is my name?');
    await lastTurn(page).getByText('Your name is Grace.').waitFor();
    expect(problems).toEqual([]);
  });

  it('inserts a new line on Shift+Enter, and keeps the focus in the input', { tags: ['long'] }, async () => {
    const { page } = await openPage(browser, app.url);
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    await lastTurn(page).locator('.facts').waitFor();
    expect(app.emulator.requests[0]?.messages.at(-1)?.content).toBe('one\ntwo');
    expect(await page.evaluate('document.activeElement.id')).toBe('question');
  });
});

describe('a question without an answer', () => {
  it('shows a plain error message, and gives the question back when a retry cannot help', async () => {
    const { page, problems } = await openPage(browser, app.url);
    app.emulator.failNext({ kind: 'status', status: 401 });
    await askInPage(page, 'What is the capital of Egypt?');
    const turn = lastTurn(page);
    await turn
      .getByText(
        'This service cannot use its model because of its settings. See its log, or tell its operator.',
      )
      .waitFor();
    await turn.getByRole('button', { name: 'Edit question' }).click();
    expect(await page.getByLabel('Your question').inputValue()).toBe('What is the capital of Egypt?');
    await page.keyboard.press('Enter');
    await turn.getByText('Cairo').waitFor();
    expect(await page.locator('.turn').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('counts down to the time of a retry', { tags: ['long'] }, async () => {
    const { page } = await openPage(browser, app.url);
    // Longer than the deadline, so that the server does not wait itself.
    app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '150' });
    await askInPage(page, 'What is the capital of India?');
    const button = lastTurn(page).getByRole('button', { name: /Try again in 1\d\d s/ });
    await button.waitFor();
    expect(await button.isDisabled()).toBe(true);
  });

  it('is answered by itself when the server can be reached again', { tags: ['long'] }, async () => {
    const { page } = await openPage(browser, app.url);
    await page.context().setOffline(true);
    await askInPage(page, 'What is the capital of Italy?');
    await lastTurn(page).getByText('The connection is lost.').waitFor();
    await page.context().setOffline(false);
    await lastTurn(page).getByText('Rome').waitFor();
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('is stopped by Escape, and retried on request', { tags: ['long'] }, async () => {
    const { page, problems } = await openPage(browser, app.url);
    // The retry joins the model call of the first request.
    app.emulator.latencyMs = 1500;
    await askInPage(page, 'What is the capital of Japan?');
    await eventually(() => app.emulator.requests.length === 1);
    expect(await page.getByRole('button', { name: 'Send' }).isVisible()).toBe(false);
    await page.keyboard.press('Escape');
    await lastTurn(page).getByText('Stopped.').waitFor();
    await lastTurn(page).getByRole('button', { name: 'Ask again' }).click();
    await lastTurn(page).getByText('Tokyo').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('question');
    expect(problems).toEqual([]);
  });
});

it('shows that no user is signed in, and does not ask for a key', { tags: ['long'] }, async () => {
  const signedIn = await startApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
  try {
    const extraHTTPHeaders = { 'x-ms-client-principal-name': 'ada@example.com' };
    const { page } = await openPage(browser, signedIn.url, { extraHTTPHeaders });
    await askInPage(page, 'What is the capital of Canada?');
    await lastTurn(page).getByText('The sign-in does not identify the user.').waitFor();
    expect(await page.locator('input').count()).toBe(0);
  } finally {
    await signedIn.stop();
  }
});

it(
  'asks for the function key when the server requires one, and keeps it for the tab only',
  { tags: ['long'] },
  async () => {
    const closed = await startApp({ enableAuth: true });
    try {
      const { page, problems } = await openPage(browser, closed.url);
      await askInPage(page, 'What is the capital of Canada?');
      const key = page.getByLabel('The server asks for a function key.');
      await key.waitFor();
      expect(await page.evaluate('document.activeElement.type')).toBe('password');
      await page.keyboard.type('wrong');
      await page.keyboard.press('Enter');
      await page.getByLabel('The server did not accept this key.').fill(closed.host.functionKey);
      await page.keyboard.press('Enter');
      await lastTurn(page).getByText('Ottawa').waitFor();
      const tab = await page.evaluate<Record<string, string>>('({ ...sessionStorage })');
      const holders = Object.keys(tab).filter((name) => tab[name]?.includes(closed.host.functionKey));
      expect(holders).toEqual(['ask.functions-key']);
      const elsewhere = await page.evaluate<string>('JSON.stringify({ ...localStorage }) + document.cookie');
      expect(elsewhere).not.toContain(closed.host.functionKey);
      expect(page.url()).not.toContain(closed.host.functionKey);
      expect(problems).toEqual([]);
    } finally {
      await closed.stop();
    }
  },
);

it('asks for the key of a caller, whose conversations it then lists', { tags: ['long'] }, async () => {
  const [key, name] = [randomUUID(), randomUUID()];
  const digest = createHash('sha256').update(key).digest('hex');
  const closed = await startApp({ env: { HTTP_AUTH_LEVEL: 'anonymous', CALLER_KEYS: `${name}=${digest}` } });
  try {
    const { page, problems } = await openPage(browser, closed.url);
    await askInPage(page, 'What is the capital of Canada?');
    await page.getByLabel('The server asks for your key.').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByLabel('The server did not accept this key.').fill(key);
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('Ottawa').waitFor();
    await lastTurn(page).locator('.facts').waitFor();
    const stored = (of: string) => page.evaluate<string>(`JSON.stringify({ ...${of} })`);
    expect(await stored('sessionStorage')).toContain(key);
    expect((await stored('localStorage')) + page.url()).not.toMatch(new RegExp(`${key}|Canada`));
    // The list is that of the server.
    await page.getByRole('button', { name: 'New conversation' }).click();
    await eventually(async () => {
      await page.reload();
      const listed = page.getByRole('link', { name: 'What is the capital of Canada?' });
      return listed.waitFor({ timeout: 1000 }).then(
        () => true,
        () => false,
      );
    });
    expect(problems).toEqual([]);
  } finally {
    await closed.stop();
  }
});
