/**
 * The input of the page, in Chromium with the real app.
 * @module-tag browser
 * @module-tag long
 */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useBrowser } from './setup.ts';
import { useApp } from '../support/fixture.ts';

const LIMIT = 60;

const { app, browser } = useBrowser();
const limited = useApp({ env: { MAX_QUESTION_CHARS: String(LIMIT) } });

const open = (url = app.url, width = 1280) => openPage(browser, url, { viewport: { width, height: 700 } });
const input = (page: Page) => page.getByLabel('Your question');
const text = (page: Page) => input(page).inputValue();

describe.each([320, 1280])('a question that is too long, at %i px', (width) => {
  it('comes back when the server refuses it, and is then held back with its length', async () => {
    const { page, problems } = await open(limited.url, width);
    const long = 'What is the capital of France? '.repeat(3);
    await askInPage(page, long);
    await lastTurn(page).getByText(`The question is longer than ${LIMIT} characters.`).waitFor();
    expect(await text(page)).toBe(long);
    await page.getByText('The question is too long.').waitFor();
    await page.getByText(`${long.length} of the ${LIMIT} characters`).waitFor();
    expect(await input(page).getAttribute('aria-invalid')).toBe('true');
    expect(await overflow(page)).toBe(0);
    await page.keyboard.press('Enter');
    await page.getByText(`too long by ${long.length - LIMIT} characters`).waitFor();
    expect(await text(page)).toBe(long);
    await input(page).fill('What is the capital of France?');
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('Paris').waitFor();
    expect(await page.locator('.turn').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('is announced before it is sent, by the usual limit, which another server may not have', async () => {
    const { page, problems } = await open(app.url, width);
    await input(page).fill('x'.repeat(31_000));
    await page.getByText('31,000 of the usual 32,000 characters').waitFor();
    expect(await page.getByText('too long').count()).toBe(0);
    await input(page).fill('x'.repeat(32_001));
    await page.getByText('The question may be too long.').waitFor();
    expect(await overflow(page)).toBe(0);
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('The question is longer than 32,000 characters.').waitFor();
    expect((await text(page)).length).toBe(32_001);
    expect(problems).toEqual([]);
  });

  it('is held back by the limit of the refusal, in whatever words it is refused', async () => {
    const { page } = await open(limited.url, width);
    const error = { code: 'question_too_long', limit: 1234 };
    await page.route('**/ask', (route) => route.fulfill({ status: 413, json: { status: 'No.', error } }));
    await askInPage(page, 'x'.repeat(1300));
    await lastTurn(page).getByText('The question is longer than 1,234 characters.').waitFor();
    await page.getByText('1,300 of the 1,234 characters').waitFor();
  });
});

describe('a draft', () => {
  it('survives a reload, in its own conversation only, until it is sent', async () => {
    const { page, problems } = await open();
    await input(page).fill('For a new conversation');
    await page.reload();
    expect(await text(page)).toBe('For a new conversation');
    await input(page).fill('What is the capital of Canada?');
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('Ottawa').waitFor();
    expect(await text(page)).toBe('');
    await input(page).fill('And of\nSweden?');
    await page.reload();
    await lastTurn(page).getByText('Ottawa').waitFor();
    expect(await text(page)).toBe('And of\nSweden?');
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await text(page)).toBe('');
    await page.goBack();
    await lastTurn(page).getByText('Ottawa').waitFor();
    expect(await text(page)).toBe('And of\nSweden?');
    expect(problems).toEqual([]);
  });

  it('that is typed during the first answer stays with its conversation', async () => {
    const { page } = await open();
    app.emulator.tokenDelayMs = 50;
    app.emulator.failNext({ kind: 'answer', content: 'Slow words. '.repeat(20) });
    const typed = Promise.withResolvers<void>();
    await page.route('**/ask', async (route) => {
      await typed.promise;
      await route.continue();
    });
    await askInPage(page, 'Speak slowly');
    await page.keyboard.type('Next one');
    typed.resolve();
    await lastTurn(page).locator('.facts').waitFor();
    await page.reload();
    expect(await text(page)).toBe('Next one');
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await text(page)).toBe('');
  });

  it('of an edited question is still one after a reload', async () => {
    const { page } = await open();
    await askInPage(page, 'What is the capital of Canada?');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).click();
    await input(page).fill('What is the capital of Portugal?');
    await page.reload();
    await page.getByText('This starts a new conversation').waitFor();
    const before = page.url();
    await input(page).press('Enter');
    await lastTurn(page).getByText('Lisbon').waitFor();
    expect(await page.locator('.turn').count()).toBe(1);
    expect(page.url()).not.toBe(before);
  });

  it('is ignored when the browser has stored something else in its place', async () => {
    const { page, problems } = await open();
    for (const value of ['{"text": 5}', 'null', '[', '"text"', '{"text":"x"}']) {
      await page.evaluate(`sessionStorage.setItem('ask.composer.draft', ${JSON.stringify(value)})`);
      await page.reload();
      expect(await text(page)).toBe('');
    }
    expect(problems).toEqual([]);
  });
});

describe('the arrow keys', () => {
  it('recall earlier questions, failed ones too, and Escape gives the recall up', async () => {
    const { page, problems } = await open();
    await askInPage(page, 'My name is Ada');
    await lastTurn(page).locator('.facts').waitFor();
    await askInPage(page, 'My name is Ada');
    await expect.poll(() => page.locator('.facts').count()).toBe(2);
    app.emulator.failNext({ kind: 'content_filter' });
    await askInPage(page, 'A refused question\nwith two lines');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).waitFor();
    const press = async (key: string) => {
      await page.keyboard.press(key);
      return text(page);
    };
    expect(await press('ArrowUp')).toBe('A refused question\nwith two lines');
    expect(await press('ArrowUp')).toBe('My name is Ada');
    expect(await press('ArrowUp')).toBe('My name is Ada');
    expect(await press('ArrowDown')).toBe('A refused question\nwith two lines');
    expect(await press('ArrowDown')).toBe('');
    expect(await press('ArrowUp')).toBe('A refused question\nwith two lines');
    expect(await press('Escape')).toBe('');
    expect(problems).toEqual([]);
  });

  it('move the cursor in a text that was typed, and in a recalled one that was changed', async () => {
    const { page } = await open();
    await askInPage(page, 'What is the capital of Peru?');
    await lastTurn(page).locator('.facts').waitFor();
    await page.keyboard.type('b');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.type('a');
    expect(await text(page)).toBe('ab');
    await input(page).fill('');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.type('!');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.type('> ');
    expect(await text(page)).toBe('> What is the capital of Peru?!');
    // A text that the user has changed is not given up.
    await page.keyboard.press('Escape');
    expect(await text(page)).toBe('> What is the capital of Peru?!');
  });
});

it('does not send the Enter of an input method', async () => {
  const { page } = await open();
  await input(page).fill('\u6771\u4eac');
  // Chromium marks the event; Safari gives it the key code of input methods.
  for (const mark of ['isComposing: true', 'keyCode: 229']) {
    await page.evaluate(`document.getElementById('question').dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ${mark} }))`);
  }
  expect(await text(page)).toBe('\u6771\u4eac');
  expect(await page.locator('.turn').count()).toBe(0);
  await page.keyboard.press('Enter');
  await page.locator('.turn').waitFor();
});

it('grows with the text up to a limit, and takes what is pasted as plain text', async () => {
  const { page } = await open(app.url, 320);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const height = async () => (await input(page).boundingBox())?.height ?? 0;
  const one = await height();
  await page.evaluate(`navigator.clipboard.write([new ClipboardItem({
    'text/html': new Blob(['<b>two</b><br>lines'], { type: 'text/html' }),
    'text/plain': new Blob(['two\\nlines'], { type: 'text/plain' }) })])`);
  await page.keyboard.press('ControlOrMeta+v');
  expect(await text(page)).toBe('two\nlines');
  const two = await height();
  expect(two).toBeGreaterThan(one);
  await input(page).fill('line\n'.repeat(20));
  const many = await height();
  expect(many).toBeGreaterThan(two);
  await input(page).fill('line\n'.repeat(200));
  expect(await height()).toBe(many);
  await input(page).fill('');
  expect(await height()).toBe(one);
});
