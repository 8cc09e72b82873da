/**
 * What can be done with a turn, and with a conversation, in Chromium with the real app.
 * @module-tag browser
 * @module-tag long
 */
import { readFile } from 'node:fs/promises';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith } from './stand-in.ts';

const { app, browser, server } = useStandIn();

const open = (width: number, options: BrowserContextOptions = {}) =>
  openPage(browser, app.url, { viewport: { width, height: 700 }, ...options });
const clipboard = (page: Page) => page.evaluate<string>('navigator.clipboard.readText()');
const question = (page: Page) => page.getByLabel('Your question');

describe.each([320, 1280])('at %i px', (width) => {
  it('copies a question as it was typed', async () => {
    const { page, problems } = await open(width, { permissions: ['clipboard-read', 'clipboard-write'] });
    await askInPage(page, 'What is the *capital* of <b>Peru</b>?');
    await lastTurn(page).getByRole('button', { name: 'Copy question' }).click();
    await page.getByText('The question was copied.').waitFor();
    expect(await clipboard(page)).toBe('What is the *capital* of <b>Peru</b>?');
    expect(problems).toEqual([]);
  });

  it('asks again without the cache, in its place, and the earlier answer is one click away', async () => {
    const { page, problems } = await open(width);
    const sent: (string | undefined)[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') sent.push(request.headers()['cache-control']);
    });
    const text = `What is the capital of Kenya, at ${width} pixels?`;
    app.emulator.failNext({ kind: 'answer', content: 'The first answer.' });
    await askInPage(page, text);
    await lastTurn(page).locator('.facts').waitFor();
    await askInPage(page, 'And what else?');
    await lastTurn(page).locator('.facts').waitFor();
    app.emulator.failNext({ kind: 'answer', content: 'The second answer.' });
    const turn = page.locator('.turn').first();
    await turn.getByRole('button', { name: 'Ask again without the cache' }).click();
    await page.getByText('Asked without the cache').waitFor();
    await turn.getByText('The second answer.').waitFor();
    const questions = [text, 'And what else?'];
    expect(await page.locator('.turn .question-text').allInnerTexts()).toEqual(questions);
    expect(sent).toEqual([undefined, undefined, 'no-cache']);
    expect(app.emulator.requests).toHaveLength(3);
    // The model gets the history before the question, without the question itself.
    expect(app.emulator.requests[2]?.messages.filter(({ role }) => role !== 'system')).toHaveLength(1);
    await page.reload();
    await turn.getByText('The second answer.').waitFor();
    expect(await page.locator('.turn .question-text').allInnerTexts()).toEqual(questions);
    await turn.getByText('Version 2 of 2').waitFor();
    await turn.getByRole('button', { name: 'Show version 1' }).press('Enter');
    await turn.getByText('The first answer.').waitFor();
    expect(await overflow(page)).toBe(0);
    await turn.getByRole('button', { name: 'Show the newest version' }).press('Enter');
    await turn.getByText('The second answer.').waitFor();
    expect(problems).toEqual([]);
  });

  it('asks an edited question in a copy of what was before it, and keeps the earlier conversation', async () => {
    const { page, problems } = await open(width);
    await askInPage(page, 'My name is Ada');
    await lastTurn(page).locator('.facts').waitFor();
    await askInPage(page, 'What is my name?');
    await lastTurn(page).getByText('Your name is Ada.').waitFor();
    const earlier = page.url();
    await question(page).fill('A draft');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).click();
    await page.getByText('This starts a new conversation').waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await question(page).inputValue()).toBe('What is my name?');
    await page.keyboard.type(' Please');
    await page.keyboard.press('Enter');
    await page.getByText('Asked in a new conversation.').waitFor();
    await lastTurn(page).getByText('Your name is Ada.').waitFor();
    expect(await page.locator('.turn .question-text').allInnerTexts()).toEqual([
      'My name is Ada',
      'What is my name? Please',
    ]);
    expect(page.url()).not.toBe(earlier);
    expect(await page.getByText('This starts a new conversation').isVisible()).toBe(false);
    await page.goBack();
    await lastTurn(page).getByText('Your name is Ada.').waitFor();
    expect(page.url()).toBe(earlier);
    expect(await page.locator('.turn').count()).toBe(2);
    expect(await question(page).inputValue()).toBe('A draft');
    expect(problems).toEqual([]);
  });
});

describe('with the keyboard alone', () => {
  it('reaches the actions of a turn, which then can be seen', async () => {
    const { page } = await open(1280);
    await askInPage(page, 'What is the capital of Cuba?');
    const edit = lastTurn(page).getByRole('button', { name: 'Edit question' });
    await edit.waitFor();
    await page.mouse.move(0, 0);
    const opacity = () =>
      page.evaluate<string>("getComputedStyle(document.querySelector('.asked-bar .actions')).opacity");
    expect(await opacity()).toBe('0');
    const path: (string | null)[] = [];
    for (let tab = 0; tab < 5; tab++) {
      await page.keyboard.press('Shift+Tab');
      path.push(await page.evaluate<string | null>('document.activeElement.getAttribute("aria-label")'));
    }
    expect(path.toReversed()).toEqual([
      'Copy question',
      'Edit question',
      // The line of measurements.
      null,
      'Copy answer',
      'Ask again without the cache',
    ]);
    await page.keyboard.press('Tab');
    await expect.poll(opacity).toBe('1');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('question');
    await page.keyboard.press('Escape');
    expect(await question(page).inputValue()).toBe('');
    expect(await page.locator('.edit-note').isVisible()).toBe(false);
  });

  it('gives a discarded edit back on request', async () => {
    const { page } = await open(1280);
    await askInPage(page, 'What is the capital of Cuba?');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).press('Enter');
    await page.keyboard.type(' And of Haiti?');
    await page.keyboard.press('Escape');
    expect(await question(page).inputValue()).toBe('');
    await page.getByRole('button', { name: 'Undo' }).press('Enter');
    await page.getByText('This starts a new conversation').waitFor();
    expect(await question(page).inputValue()).toBe('What is the capital of Cuba? And of Haiti?');
  });
});

describe('a turn without a complete answer', () => {
  const codes = [
    ['Edit question', 'content_filtered'],
    ['Edit question', 'conversation_too_long'],
    ['Edit question', 'invalid_request'],
    ['Edit question', 'misconfigured'],
    ['Edit question', 'model_misconfigured'],
    ['Edit question', 'output_limit_reached'],
    ['Try again', 'model_unavailable'],
    ['Try again', 'stopping'],
    ['Try again', 'timeout'],
  ] as const;

  it.each(codes)('offers "%s" as its one button after %s', async (name, code) => {
    const { page } = await open(320);
    await page.route('**/ask', (route) =>
      route.fulfill({ status: 500, json: { status: 'Words of the server.', error: { code } } }),
    );
    await askInPage(page, 'Does it work?');
    await lastTurn(page).getByRole('button').waitFor();
    expect(await lastTurn(page).getByRole('button').allInnerTexts()).toEqual([name]);
    const message =
      code === 'conversation_too_long' ? 'even without the earlier messages' : 'Words of the server.';
    expect(await lastTurn(page).locator('.outcome').innerText()).toContain(message);
    expect(await overflow(page)).toBe(0);
  });

  it('gives way to the edited question', async () => {
    const { page, problems } = await open(320);
    await askInPage(page, 'What is the capital of Egypt?');
    await lastTurn(page).getByText('Cairo').waitFor();
    const session = page.url();
    app.emulator.failNext({ kind: 'content_filter' });
    await askInPage(page, 'What is the capital of Chad, in bad words?');
    await lastTurn(page).getByRole('button', { name: 'Edit question' }).click();
    await page.getByText('This replaces the question').waitFor();
    await question(page).fill('What is the capital of Kenya?');
    await page.keyboard.press('Enter');
    await lastTurn(page).getByText('Nairobi').waitFor();
    expect(await page.locator('.turn .question').allInnerTexts()).toEqual([
      expect.stringContaining('Egypt'),
      expect.stringContaining('Kenya'),
    ]);
    expect(page.url()).toBe(session);
    expect(problems).toEqual([]);
  });

  it('keeps the text that came before a stop, says so, and lets it be copied', async () => {
    const { page, problems } = await openPage(browser, server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await askInPage(page, 'Tell me much');
    await expect.poll(() => server.exchanges.length).toBe(1);
    server.exchanges[0]?.send('session', { session_id: 's', cold_start: false });
    server.exchanges[0]?.send('token', { text: 'Half **an**' });
    await lastTurn(page).getByText('Half an').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await lastTurn(page).getByText('The text that came is kept.').waitFor();
    await lastTurn(page).getByRole('button', { name: 'Copy answer' }).click();
    await page.getByText('The answer was copied.').waitFor();
    expect(await clipboard(page)).toBe('Half **an**');
    expect(problems).toEqual([]);
  });

  it('is not asked again while another answer comes, and says why', async () => {
    const { page } = await openPage(browser, server.url);
    const failure = { status: 'No.', error: { code: 'model_unavailable' } };
    await page.route('**/ask', (route) => route.fulfill({ status: 502, json: failure }), { times: 1 });
    await askInPage(page, 'First');
    await lastTurn(page).getByRole('button', { name: 'Try again' }).waitFor();
    const before = server.exchanges.length;
    await askInPage(page, 'Second');
    await expect.poll(() => server.exchanges.length).toBe(before + 1);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Another answer is still coming.').waitFor();
    server.exchanges.at(-1)?.send('done', doneWith('Two.', 's'));
    await lastTurn(page).getByText('Two.').waitFor();
    expect(server.exchanges).toHaveLength(before + 1);
  });
});

/** Chooses an export in the menu. Returns the name and the text of the file. */
async function exported(page: Page, format: 'Markdown' | 'JSON') {
  await page.getByRole('button', { name: 'More' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: `Export as ${format}` }).click(),
  ]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

describe('the export', () => {
  it('is a JSON file with what the API has of the session, and says that it contains the id', async () => {
    const { page, problems } = await open(320);
    await askInPage(page, 'What is the capital of Japan?');
    await lastTurn(page).locator('.facts').waitFor();
    const { name, text } = await exported(page, 'JSON');
    await page.getByText('The file contains its id').waitFor();
    const id = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('session');
    expect(JSON.parse(text)).toEqual(await (await fetch(`${app.url}/sessions/${id}`)).json());
    expect(name).toBe('What-is-the-capital-of-Japan.json');
    expect(problems).toEqual([]);
  });

  it('is a Markdown file with the messages of all pages, the oldest first', async () => {
    const session = { session_id: 'many', created_at: '2026-11-20T12:00:00.000Z', interaction_count: 2 };
    server.sessions.set('many', {
      ...session,
      chat_history: [
        { role: 'human', content: 'Second ``` question\nwith *two* lines' },
        { role: 'ai', content: 'Answer **two**', shortened: true },
      ],
      next: '/sessions/many?before=2',
    });
    server.sessions.set('many?before=2', {
      ...session,
      chat_history: [
        { role: 'human', content: 'First' },
        { role: 'ai', content: 'Answer *one*' },
      ],
      next: null,
    });
    const { page, problems } = await openPage(browser, `${server.url}/#session=many`);
    await lastTurn(page).getByText('Answer two').waitFor();
    const { name, text } = await exported(page, 'Markdown');
    expect(name).toBe('Second-question-with-two-lines.md');
    expect(text).toBe(
      [
        '# Second \\`\\`\\` question with \\*two\\* lines',
        'Begun on 20 November 2026.',
        '---\n\n**Question**\n\n```text\nFirst\n```',
        '**Answer**\n\nAnswer *one*',
        '---\n\n**Question**\n\n````text\nSecond ``` question\nwith *two* lines\n````',
        '**Answer**\n\nAnswer **two**\n\n*This text was too long to be stored completely.*\n',
      ].join('\n\n'),
    );
    expect(problems).toEqual([]);
  });

  it('says why it failed, and is not offered before there is an answer', async () => {
    const { page } = await open(1280);
    await page.getByRole('button', { name: 'More' }).click();
    expect(await page.getByRole('menuitem', { name: 'Export' }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await askInPage(page, 'What is the capital of Japan?');
    await lastTurn(page).locator('.facts').waitFor();
    await page.route('**/sessions/*', (route) => route.abort());
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Export as JSON' }).click();
    await page.getByText('The conversation was not exported. The server cannot be reached.').waitFor();
  });
});
