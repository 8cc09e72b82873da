/**
 * The export and the deletion of everything that is kept of a user, in the menu of the page.
 * @module-tag browser
 * @module-tag long
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useApp } from '../support/fixture.ts';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { useBrowser } from './setup.ts';

const { app: withoutUsers, browser } = useBrowser();
const app = useApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
const wide = { viewport: { width: 1280, height: 700 } };

it('exports everything as a file, and deletes it here and on the server after a second press', async () => {
  const extraHTTPHeaders = {
    'x-ms-client-principal-id': randomUUID(),
    'x-ms-client-principal-idp': 'aad',
  };
  const { page, problems } = await openPage(browser, app.url, { ...wide, extraHTTPHeaders });
  const choose = async (name: string): Promise<void> => {
    await page.locator('#more').click();
    await page.getByRole('menuitem', { name }).click();
  };
  await askInPage(page, 'What is the capital of Canada?');
  await lastTurn(page).getByText('Ottawa').waitFor();

  const downloading = page.waitForEvent('download');
  await choose('Export all my data');
  const file = await (await downloading).path();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
    'session',
    'interaction',
    'end',
  ]);
  await page.getByText('All your data was exported.').waitFor();

  await choose('Delete all my data');
  await page.getByRole('button', { name: 'Delete all', exact: true }).click();
  await page.getByText('No conversations yet.').waitFor();
  expect(await page.locator('.turn').count()).toBe(0);
  expect(new URL(page.url()).hash).toBe('');
  const stored = await page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])');
  expect(stored).not.toMatch(/Canada|Ottawa/);
  const exported = await fetch(`${app.url}/users/me/export`, { headers: extraHTTPHeaders });
  expect((await exported.text()).trimEnd()).toBe('{"type":"end","records":0}');
  expect(problems).toEqual([]);
});

it('are not offered where nobody is known', async () => {
  const { page } = await openPage(browser, withoutUsers.url, wide);
  await page.getByText('No conversations yet.').waitFor();
  await page.locator('#more').click();
  await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).waitFor();
  expect(await page.getByRole('menuitem', { name: 'all my data' }).count()).toBe(0);
});
