/**
 * The list of conversations.
 * @module-tag browser
 * @module-tag long
 */
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually, startApp } from '../support/app.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';

const { app, browser, server } = useStandIn();
beforeEach(() => {
  server.sessions.clear();
  server.lists.clear();
  server.deleted.length = 0;
  server.deleteStatus = 204;
});

const wide = { viewport: { width: 1280, height: 700 } };
const links = (page: Page) => page.locator('#sessions a:visible');
const titles = (page: Page) => links(page).allInnerTexts();
const focused = (page: Page) => page.evaluate<string>('document.activeElement.textContent');

/** Lets the server have these conversations, and the browser list them, the first one as the newest. */
async function openWithKept(names: string[], options = {}) {
  const entries = names.map((title, index) => ({ id: `id ${title}`, title, usedAt: Date.now() - index }));
  for (const title of names) keep(`id ${title}`, null, title, `About ${title}`);
  const opened = await openPage(browser, 'about:blank', { ...wide, ...options });
  await opened.page.goto(server.url);
  await opened.page.evaluate(
    `localStorage.setItem('ask.sessions', ${JSON.stringify(JSON.stringify(entries))})`,
  );
  await opened.page.reload();
  return opened;
}

/** Adds a page of a conversation to the server: questions and answers in turn. */
const keep = (id: string, next: string | null, ...contents: string[]) => {
  const messages = contents.map((content, index) => ({ role: index % 2 === 0 ? 'human' : 'ai', content }));
  server.sessions.set(id, { session_id: id, chat_history: messages, next });
};

/** An entry of the server's list. */
const entry = (title: string, updated_at: string) => ({ session_id: `id ${title}`, title, updated_at });

/** Opens the menu of a conversation with the keyboard, and chooses an entry. */
async function choose(page: Page, title: string, command: string): Promise<void> {
  const row = page.locator('.session', { hasText: title });
  await row.getByRole('link').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press(command[0] ?? '');
  await page.keyboard.press('Enter');
}

describe('without a sign-in', () => {
  it('lists the conversations of this browser, says so, and returns to them', async () => {
    const { page, problems } = await openPage(browser, app.url, wide);
    await page.getByText('No conversations yet.').waitFor();
    await page.getByText('This list is kept in this browser only.').waitFor();
    await askInPage(page, 'What is the capital of Brazil?');
    await lastTurn(page).getByText('Brasília').waitFor();
    await page.getByRole('button', { name: 'New conversation' }).click();
    await askInPage(page, '  What is the\ncapital of Portugal?');
    await lastTurn(page).getByText('Lisbon').waitFor();
    await eventually(async () => (await titles(page))[0] === 'What is the capital of Portugal?');
    expect(await titles(page)).toEqual([
      'What is the capital of Portugal?',
      'What is the capital of Brazil?',
    ]);
    expect(await page.title()).toMatch(/^What is the capital of Portugal\? · /);
    await page.reload();
    await page.getByRole('link', { name: 'What is the capital of Brazil?' }).click();
    await lastTurn(page).getByText('Brasília').waitFor();
    expect(await page.locator('#sessions [aria-current=page]').innerText()).toBe(
      'What is the capital of Brazil?',
    );
    expect(await page.title()).toMatch(/^What is the capital of Brazil\? · /);
    expect(problems).toEqual([]);
  });

  it('closes the sheet of a phone when a conversation is chosen', async () => {
    const { page, problems } = await openWithKept(['One', 'Two'], { viewport: { width: 320, height: 640 } });
    await page.getByRole('button', { name: 'Conversations' }).click();
    expect(await overflow(page)).toBe(0);
    await page.getByRole('link', { name: 'Two' }).click();
    await lastTurn(page).getByText('About Two').waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('lists a conversation that was opened by its address', async () => {
    keep('shared', null, 'What is shared?', 'This.');
    const { page } = await openPage(browser, `${server.url}/#session=shared`, wide);
    await page.getByRole('link', { name: 'What is shared?' }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'What is shared?' }).waitFor();
  });

  it('removes a conversation that the server does not have any more, and says so', async () => {
    const { page } = await openWithKept(['Old', 'Young']);
    server.sessions.delete('id Old');
    await page.getByRole('link', { name: 'Old' }).click();
    await page.getByText('“Old” is not on the server any more.').waitFor();
    expect(await titles(page)).toEqual(['Young']);
  });

  it('shows the changes of other tabs', async () => {
    const { page } = await openWithKept(['One']);
    const other = await page.context().newPage();
    await other.goto(server.url);
    await choose(other, 'One', 'Rename');
    await other.keyboard.type('Uno');
    await other.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Uno' }).waitFor();
    keep('new', null, 'Another one', 'Yes.');
    await other.goto(`${server.url}/#session=new`);
    await page.getByRole('link', { name: 'Another one' }).waitFor();
  });

  it('ignores stored values that are not its own', async () => {
    const { page, problems } = await openWithKept(['Good']);
    for (const value of [
      '[1, null, {"id": 4}, {"id": "x", "title": "Kept", "usedAt": 1}]',
      '{"a": 1}',
      'not JSON',
    ]) {
      await page.evaluate(`for (const name of ['', '.names', '.deleting'])
        localStorage.setItem('ask.sessions' + name, ${JSON.stringify(value)})`);
      await page.reload();
      await page.getByText('This list is kept in this browser only.').waitFor();
      expect(await titles(page)).toEqual(value.includes('Kept') ? ['Kept'] : []);
    }
    expect(problems).toEqual([]);
  });
});

describe('the menu of a conversation', () => {
  it('stays open when the list changes, which is shown when the menu is closed', async () => {
    const { page } = await openWithKept(['One', 'Two']);
    const other = await page.context().newPage();
    await other.goto(server.url);
    await page.locator('.session', { hasText: 'One' }).getByRole('button', { name: 'Options' }).click();
    const added = JSON.stringify([{ id: 'id Three', title: 'Three', usedAt: Date.now() + 1 }]);
    await other.evaluate(`localStorage.setItem('ask.sessions', ${JSON.stringify(added)})`);
    await eventually(async () => (await page.evaluate('localStorage.getItem("ask.sessions")')) === added);
    expect(await page.getByRole('menuitem', { name: 'Rename' }).isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Three' }).waitFor();
    expect(await titles(page)).toEqual(['Three']);
  });
});

describe('search', () => {
  it('finds titles when there are more than a few', async () => {
    const { page, problems } = await openWithKept(['Apple', 'Banana', 'Cherry', 'Date', 'Elderberry', 'Fig']);
    const search = page.getByRole('searchbox', { name: 'Search conversations' });
    await search.fill('RR');
    expect(await titles(page)).toEqual(['Cherry', 'Elderberry']);
    await search.fill('nothing');
    await page.getByText('No title and no text contains this.').waitFor();
    await search.fill('');
    expect(await links(page).count()).toBe(6);
    expect(problems).toEqual([]);
  });

  it('is not there for a few conversations', async () => {
    const { page } = await openWithKept(['Apple', 'Banana']);
    await page.getByRole('link', { name: 'Banana' }).waitFor();
    expect(await page.getByRole('searchbox').count()).toBe(0);
  });
});

describe('a name', () => {
  it('is given with the keyboard, and kept in this browser', async () => {
    const { page, problems } = await openWithKept(['One', 'Two']);
    await page.getByRole('link', { name: 'One' }).click();
    await choose(page, 'One', 'Rename');
    await page.getByText('The name is kept in this browser only.').waitFor();
    await page.keyboard.type('Holiday');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Holiday' }).waitFor();
    expect(await focused(page)).toBe('Holiday');
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Holiday');
    expect(await page.title()).toMatch(/^Holiday · /);
    await page.reload();
    expect(await titles(page)).toEqual(['Holiday', 'Two']);
    // Escape keeps the name, an empty one restores the first question.
    await choose(page, 'Holiday', 'Rename');
    await page.keyboard.type('Wrong');
    await page.keyboard.press('Escape');
    expect(await titles(page)).toEqual(['Holiday', 'Two']);
    await choose(page, 'Holiday', 'Rename');
    await page.keyboard.press('Delete');
    await page.keyboard.press('Enter');
    expect(await titles(page)).toEqual(['One', 'Two']);
    expect(problems).toEqual([]);
  });

  it('is given in the sheet of a phone, where Escape does not close the sheet', async () => {
    const { page } = await openWithKept(['One'], { viewport: { width: 320, height: 640 } });
    await page.getByRole('button', { name: 'Conversations' }).click();
    await choose(page, 'One', 'Rename');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').getByRole('link', { name: 'One' }).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(1);
  });
});

describe('deleting', () => {
  it('can be undone with the keyboard, and then asks nothing of the server', async () => {
    const { page, problems } = await openWithKept(['One', 'Two']);
    await page.getByRole('link', { name: 'One' }).click();
    await lastTurn(page).getByText('About One').waitFor();
    await choose(page, 'One', 'Delete');
    await page.getByText('“One” was deleted.').waitFor();
    expect(await titles(page)).toEqual(['Two']);
    expect(await focused(page)).toBe('Two');
    await page.getByText('What would you like to know?').waitFor();
    await page.getByRole('button', { name: 'Undo' }).press('Enter');
    await lastTurn(page).getByText('About One').waitFor();
    expect(await titles(page)).toEqual(['One', 'Two']);
    expect(server.deleted).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('is sent to the server when it can no longer be undone', async () => {
    const { page, problems } = await openWithKept(['One', 'Two', 'Three']);
    await page.clock.install();
    await page.reload();
    await choose(page, 'One', 'Delete');
    await page.getByText('“One” was deleted.').waitFor();
    // The focus has to leave the message, whose time would not run.
    await page.getByLabel('Your question').focus();
    await page.clock.fastForward(20_000);
    await eventually(() => server.deleted.length === 1);
    expect(server.deleted).toEqual(['id One']);
    await eventually(
      async () => !(await page.evaluate<string>('localStorage["ask.sessions"]')).includes('id One'),
    );
    await page.reload();
    await page.getByRole('link', { name: 'Two' }).waitFor();
    expect(await titles(page)).toEqual(['Two', 'Three']);
    expect(problems).toEqual([]);
  });

  it('is sent when the page is left, and made sure of at the next visit', async () => {
    const { page } = await openWithKept(['One', 'Two']);
    server.deleteStatus = 503;
    await choose(page, 'One', 'Delete');
    await page.getByText('“One” was deleted.').waitFor();
    await page.goto('about:blank');
    await eventually(() => server.deleted.length === 1);
    server.deleteStatus = 204;
    await page.goto(server.url);
    await eventually(() => server.deleted.length === 2);
    expect(server.deleted).toEqual(['id One', 'id One']);
    await eventually(
      async () => (await page.evaluate('localStorage["ask.sessions.deleting"]')) === undefined,
    );
    expect(await titles(page)).toEqual(['Two']);
  });

  it('brings the conversation back when it fails, and says so', async () => {
    const { page } = await openWithKept(['One', 'Two']);
    server.deleteStatus = 503;
    await choose(page, 'One', 'Delete');
    // The next message takes the place of the one with Undo, and the failure does not take the place of this one.
    await choose(page, 'Two', 'Delete');
    await eventually(() => server.deleted.length === 1);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('“One” was not deleted. The session could not be deleted.').waitFor();
    expect(await titles(page)).toEqual(['One', 'Two']);
    expect(server.deleted).toEqual(['id One']);
  });
});

describe('signed in', () => {
  it('shows the list of the server in pages, and keeps none in the browser', async () => {
    server.lists.set('', { sessions: [entry('Newest', '2026-11-02T00:00:00Z')], next: '/sessions?before=1' });
    server.lists.set('?before=1', { sessions: [entry('Oldest', '2026-11-01T00:00:00Z')], next: null });
    keep('id Newest', null, 'Newest', 'Yes.');
    const { page, problems } = await openPage(browser, server.url, wide);
    await page.getByRole('link', { name: 'Newest' }).waitFor();
    expect(await titles(page)).toEqual(['Newest']);
    await page.getByRole('button', { name: 'Show older' }).press('Enter');
    await page.getByRole('link', { name: 'Oldest' }).waitFor();
    expect(await titles(page)).toEqual(['Newest', 'Oldest']);
    expect(await page.getByRole('button', { name: 'Show older' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Newest' }).click();
    await lastTurn(page).getByText('Yes.').waitFor();
    expect(await page.getByText('kept in this browser').count()).toBe(0);
    expect(await page.evaluate('localStorage.getItem("ask.sessions")')).toBeNull();
    expect(problems).toEqual([]);
  });

  it('lists what was asked, with the real app', async () => {
    const signedIn = await startApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
    try {
      const extraHTTPHeaders = {
        'x-ms-client-principal-id': crypto.randomUUID(),
        'x-ms-client-principal-idp': 'aad',
      };
      const { page, problems } = await openPage(browser, signedIn.url, { ...wide, extraHTTPHeaders });
      await askInPage(page, 'What is the capital of Canada?');
      await lastTurn(page).getByText('Ottawa').waitFor();
      await eventually(async () => {
        await page.reload();
        await page.getByText('Ottawa').waitFor();
        return (await titles(page)).length === 1;
      });
      expect(await titles(page)).toEqual(['What is the capital of Canada?']);
      expect(await page.evaluate('localStorage.getItem("ask.sessions")')).toBeNull();
      expect(problems).toEqual([]);
    } finally {
      await signedIn.stop();
    }
  });
});
