/**
 * An answer outlives its page: a reload, another conversation, another tab, a lost network and a killed process, in
 * Chromium with the real app.
 * @module-tag browser
 * @module-tag long
 */
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBalancer } from '../../dev/stack/balancer.ts';
import { startTcpProxy } from '../../dev/stack/tcp-proxy.ts';
import type { Session } from '../../src/lib/contract/responses.ts';
import { eventually } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app, browser } = useBrowser();
const killed = useFreshApp();

const WORDS = Array.from({ length: 40 }, (_, at) => `word${at}`);
const TEXT = WORDS.join(' ');
const wide = { viewport: { width: 1280, height: 700 } };

/** Asks a question whose answer comes slowly, and waits for its first words. */
async function askSlowly(page: Page, question: string, ms = 100): Promise<void> {
  app.emulator.tokenDelayMs = ms;
  app.emulator.failNext({ kind: 'answer', content: TEXT });
  await askInPage(page, question);
  await lastTurn(page).getByText('word1').waitFor();
}

const shownText = (page: Page) => lastTurn(page).locator('.text').innerText();
const questions = (page: Page) => page.locator('.turn .question-text').allInnerTexts();

/** Waits for the whole answer, which has to be there once. */
async function expectWhole(page: Page): Promise<void> {
  await lastTurn(page)
    .getByText(WORDS.at(-1) ?? '')
    .waitFor();
  await page.getByRole('button', { name: 'Send' }).waitFor();
  expect(await shownText(page)).toBe(TEXT);
}

/** The session in the address of the page, as the server has it. */
async function storedSession(page: Page): Promise<Session> {
  const id = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('session');
  return (await (await fetch(`${app.url}/sessions/${id}`)).json()) as Session;
}

describe('an answer in progress', () => {
  it('goes on after a reload, also the first one of a conversation, which is in the list at once', async () => {
    const { page, problems } = await openPage(browser, app.url, wide);
    await askSlowly(page, 'What comes after a reload?');
    await page.reload();
    await lastTurn(page).getByText('word1').waitFor();
    expect(await page.locator('#sessions a').allInnerTexts()).toEqual(['What comes after a reload?']);
    await expectWhole(page);
    expect(await questions(page)).toEqual(['What comes after a reload?']);
    expect(app.emulator.requests).toHaveLength(1);
    await page.reload();
    await expectWhole(page);
    expect(await questions(page)).toEqual(['What comes after a reload?']);
    expect(problems).toEqual([]);
  });

  it('is asked after a reload that came before the question was sent', async () => {
    const { page } = await openPage(browser, app.url);
    await page.route('**/ask', () => {});
    await askInPage(page, 'What is the capital of Egypt?');
    await page.locator('.turn').waitFor();
    await page.unroute('**/ask');
    await page.reload();
    await lastTurn(page).getByText('Cairo').waitFor();
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('goes on when its conversation is opened again, in a second tab, and in another browser', async () => {
    const { page, problems } = await openPage(browser, app.url, wide);
    await askInPage(page, 'What is the capital of Peru?');
    await lastTurn(page).locator('.facts').waitFor();
    await askSlowly(page, 'And what goes on?');
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await page.locator('.turn').count()).toBe(0);
    await page.goBack();
    await lastTurn(page).getByText('word1').waitFor();
    const second = await page.context().newPage();
    await second.goto(page.url());
    await lastTurn(second).getByText('word1').waitFor();
    const { page: other } = await openPage(browser, page.url());
    await lastTurn(other).getByText('word1').waitFor();
    for (const tab of [page, second, other]) {
      await expectWhole(tab);
      expect(await questions(tab)).toEqual(['What is the capital of Peru?', 'And what goes on?']);
    }
    expect((await storedSession(page)).interaction_count).toBe(2);
    expect(problems).toEqual([]);
  });

  it('goes on after the connection was lost, and each character is shown once', async () => {
    const proxy = await startTcpProxy(Number(new URL(app.url).port));
    const { page } = await openPage(browser, `http://127.0.0.1:${proxy.port}`);
    await askSlowly(page, 'What comes after a lost connection?');
    await proxy.close();
    await lastTurn(page).getByText('The connection is lost.').waitFor();
    expect(TEXT.startsWith(await shownText(page))).toBe(true);
    const next = await startTcpProxy(Number(new URL(app.url).port), 0, proxy.port);
    onTestFinished(() => next.close());
    await expectWhole(page);
    expect(app.emulator.requests).toHaveLength(1);
  });
});

describe('Stop', () => {
  it('stops the model, and the text that came is kept at its place', async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askSlowly(page, 'What is stopped?');
    await page.keyboard.press('Escape');
    await lastTurn(page).getByText('Stopped.').waitFor();
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    const text = await shownText(page);
    expect(TEXT.startsWith(text) && text.length < TEXT.length).toBe(true);
    app.emulator.reset();
    await askInPage(page, 'What is the capital of India?');
    await lastTurn(page).getByText('New Delhi').waitFor();
    await page.reload();
    await lastTurn(page).getByText('New Delhi').waitFor();
    expect(await questions(page)).toEqual(['What is stopped?', 'What is the capital of India?']);
    const first = page.locator('.turn').first();
    expect(await first.locator('.text').innerText()).toBe(text);
    await first.getByText('Stopped.').waitFor();
    expect(problems).toEqual([]);
  });

  it('before the first text leaves the question, also after a reload, and it can be asked again', async () => {
    const { page } = await openPage(browser, app.url);
    app.emulator.failNext({ kind: 'hang' });
    await askInPage(page, 'What is the capital of Kenya?');
    await eventually(() => app.emulator.requests.length === 1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await lastTurn(page).getByText('Stopped.').waitFor();
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await page.reload();
    await lastTurn(page).getByText('Stopped.').waitFor();
    await lastTurn(page).getByRole('button', { name: 'Ask again' }).click();
    await lastTurn(page).getByText('Nairobi').waitFor();
    await page.reload();
    await lastTurn(page).getByText('Nairobi').waitFor();
    expect(await questions(page)).toEqual(['What is the capital of Kenya?']);
  });
});

describe('Ask again', () => {
  it('leaves the answer as it was when it fails or is stopped before its first text', async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askInPage(page, 'What is the capital of Spain?');
    await lastTurn(page).locator('.facts').waitFor();
    const again = lastTurn(page).getByRole('button', { name: 'Ask again without the cache' });
    app.emulator.failNext({ kind: 'content_filter' });
    await again.click();
    await lastTurn(page).getByText('The answer was not replaced.').waitFor();
    await lastTurn(page).getByText('Madrid').waitFor();
    const before = app.emulator.requests.length;
    app.emulator.failNext({ kind: 'hang' });
    await again.click();
    await eventually(() => app.emulator.requests.length > before);
    await page.getByRole('button', { name: 'Stop' }).click();
    await lastTurn(page).getByText('Madrid').waitFor();
    expect(await lastTurn(page).getByText('Stopped.').count()).toBe(0);
    await page.reload();
    await lastTurn(page).getByText('Madrid').waitFor();
    expect(await questions(page)).toEqual(['What is the capital of Spain?']);
    expect(problems).toEqual([]);
  });

  it('goes on after a reload, in its place', async () => {
    const { page } = await openPage(browser, app.url);
    await askInPage(page, 'What is the capital of Spain?');
    await lastTurn(page).locator('.facts').waitFor();
    app.emulator.tokenDelayMs = 100;
    app.emulator.failNext({ kind: 'answer', content: TEXT });
    await lastTurn(page).getByRole('button', { name: 'Ask again without the cache' }).click();
    await lastTurn(page).getByText('word1').waitFor();
    await page.reload();
    await expectWhole(page);
    expect(await questions(page)).toEqual(['What is the capital of Spain?']);
    await lastTurn(page).getByRole('button', { name: 'Show version 1' }).click();
    await lastTurn(page).getByText('Madrid').waitFor();
    expect((await storedSession(page)).interaction_count).toBe(1);
  });

  it('of a stopped answer takes its place', async () => {
    const { page } = await openPage(browser, app.url);
    await askSlowly(page, 'What is the capital of Italy?');
    await page.keyboard.press('Escape');
    await lastTurn(page).getByText('Stopped.').waitFor();
    app.emulator.reset();
    await lastTurn(page).getByRole('button', { name: 'Ask again' }).click();
    await lastTurn(page).getByText('Rome').waitFor();
    await page.getByRole('button', { name: 'Send' }).waitFor();
    expect((await storedSession(page)).chat_history.map(({ content }) => content)).toEqual([
      'What is the capital of Italy?',
      'The capital of Italy is Rome.',
    ]);
  });
});

describe('questions that wait', () => {
  it('are asked one after another, can be removed, and survive a reload', async () => {
    const { page, problems } = await openPage(browser, app.url);
    await askSlowly(page, 'What comes first?');
    for (const question of ['What is the capital of Egypt?', 'A mistake', 'What is the capital of Japan?']) {
      await page.getByLabel('Your question').fill(question);
      await page.keyboard.press('Enter');
    }
    const queue = page.getByRole('list', { name: 'Waiting questions' });
    expect(await queue.locator('.queued').allInnerTexts()).toEqual([
      'What is the capital of Egypt?',
      'A mistake',
      'What is the capital of Japan?',
    ]);
    const row = queue.getByRole('listitem').filter({ hasText: 'A mistake' });
    await row.getByRole('button', { name: 'Remove from the queue' }).click();
    expect(await questions(page)).toEqual(['What comes first?']);
    await page.reload();
    app.emulator.tokenDelayMs = 0;
    await lastTurn(page).getByText('Tokyo').waitFor();
    expect(await questions(page)).toEqual([
      'What comes first?',
      'What is the capital of Egypt?',
      'What is the capital of Japan?',
    ]);
    expect(await queue.isVisible()).toBe(false);
    expect(problems).toEqual([]);
  });

  it('wait on when the one before has failed, and can then be asked', async () => {
    const { page } = await openPage(browser, app.url);
    app.emulator.latencyMs = 1000;
    app.emulator.failNext({ kind: 'content_filter' });
    await askInPage(page, 'What is bad?');
    await page.getByLabel('Your question').fill('What is the capital of Kenya?');
    await page.keyboard.press('Enter');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).waitFor();
    expect(await questions(page)).toEqual(['What is bad?']);
    await page.getByRole('button', { name: 'Ask now' }).click();
    await lastTurn(page).getByText('Nairobi').waitFor();
  });
});

it('a turn of another tab is shown when this tab gets the focus', async () => {
  const { page, problems } = await openPage(browser, app.url);
  await askInPage(page, 'What is the capital of Egypt?');
  await lastTurn(page).locator('.facts').waitFor();
  await lastTurn(page).locator('summary').click();
  const second = await page.context().newPage();
  await second.goto(page.url());
  await askInPage(second, 'What is the capital of Japan?');
  await lastTurn(second).getByText('Tokyo').waitFor();
  expect(await questions(page)).toHaveLength(1);
  await page.evaluate('dispatchEvent(new Event("focus"))');
  await lastTurn(page).getByText('Tokyo').waitFor();
  expect(await questions(page)).toEqual(['What is the capital of Egypt?', 'What is the capital of Japan?']);
  // What was shown stays as it was.
  expect(await page.locator('.facts').first().getAttribute('open')).toBe('');
  expect(problems).toEqual([]);
});

it('offers to ask again when the process that answered was killed, and then has one answer', async () => {
  await killed.start({ env: { AZURE_OPENAI_ENDPOINT: app.emulator.url } });
  const instances = [killed.url];
  const balancer = await startBalancer(instances);
  onTestFinished(() => balancer.close());
  const { page } = await openPage(browser, balancer.url);
  await askSlowly(page, 'What is the capital of Kenya?', 500);
  instances.push(app.url);
  killed.host.process.kill('SIGKILL');
  await lastTurn(page).getByText('The answer was interrupted').waitFor({ timeout: 40_000 });
  app.emulator.reset();
  await lastTurn(page).getByRole('button', { name: 'Try again' }).click();
  await lastTurn(page).getByText('Nairobi').waitFor();
  await page.reload();
  await lastTurn(page).getByText('Nairobi').waitFor();
  expect(await questions(page)).toEqual(['What is the capital of Kenya?']);
  expect((await storedSession(page)).interaction_count).toBe(1);
});
