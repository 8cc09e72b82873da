/**
 * The earlier messages of a long conversation, which are shown on request.
 * @module-tag browser
 * @module-tag long
 */
import type { Page } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import { openPage } from './browser.ts';
import { useStandIn } from './setup.ts';

const { browser, server } = useStandIn();

beforeEach(() => server.sessions.clear());

/** Adds a page of a conversation to the server: questions and answers in turn. */
const keep = (id: string, next: string | null, ...contents: string[]) => {
  const messages = contents.map((content, index) => ({ role: index % 2 === 0 ? 'human' : 'ai', content }));
  server.sessions.set(id, { session_id: id, chat_history: messages, next });
};

const turns = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => [
    `Question ${from + at}`,
    `Answer ${from + at}. `.repeat(40),
  ]).flat();
const question = (page: Page, number: number) =>
  page.locator('.question', { hasText: new RegExp(`Question ${number}$`) });
const topOf = async (page: Page, number: number) => (await question(page, number).boundingBox())?.y ?? NaN;

it.each([320, 1280])('are shown on request without moving the text, at %i px', async (width) => {
  keep('long', '/sessions/long?before=2', ...turns(20, 30));
  keep('long?before=2', '/sessions/long?before=1', ...turns(10, 20));
  keep('long?before=1', null, ...turns(0, 10));
  const { page, problems } = await openPage(browser, `${server.url}/#session=long`, {
    viewport: { width, height: 700 },
  });
  await question(page, 29).waitFor();
  const button = page.getByRole('button', { name: 'Show earlier' });
  for (const first of [20, 10]) {
    await button.focus();
    const top = await topOf(page, first);
    await page.keyboard.press('Enter');
    await question(page, first - 10).waitFor();
    expect(Math.abs((await topOf(page, first)) - top)).toBeLessThan(2);
    expect(await page.evaluate<string>('document.activeElement.textContent')).toContain(
      `Question ${first}Answer`,
    );
    expect(await page.locator('#status').textContent()).toBe('10 earlier questions are shown.');
  }
  expect(await page.locator('.turn').count()).toBe(30);
  expect(await button.count()).toBe(0);
  expect(problems).toEqual([]);
});

it('are offered again when they cannot be read', async () => {
  keep('long', '/sessions/long?before=1', ...turns(10, 12));
  const { page } = await openPage(browser, `${server.url}/#session=long`);
  await page.getByRole('button', { name: 'Show earlier' }).click();
  await page.locator('#notice').getByText('Earlier messages could not be read. Unknown session.').waitFor();
  keep('long?before=1', null, ...turns(0, 10));
  await page.getByRole('button', { name: 'Show earlier' }).click();
  await question(page, 0).waitFor();
  expect(await page.locator('#notice').innerText()).toBe('');
});

it('are read only from the API of this server', async () => {
  keep('long', 'https://elsewhere.example/sessions/long', 'Question', 'Answer');
  const { page, problems } = await openPage(browser, `${server.url}/#session=long`);
  await page.getByRole('button', { name: 'Show earlier' }).click();
  await page
    .locator('#notice')
    .getByText('The server gave an address that this page does not know.')
    .waitFor();
  expect(problems).toEqual([]);
});
