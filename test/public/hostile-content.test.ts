/**
 * Answers that try to harm the page or its reader, in Chromium.
 * @module-tag browser
 * @module-tag long
 */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { eventually } from '../support/app.ts';
import { askInPage, lastTurn, openPage } from './browser.ts';
import { HOSTILE_ANSWERS } from './hostile-payloads.ts';
import { useStandIn } from './setup.ts';
import { doneWith, type Exchange } from './stand-in.ts';

/** The elements that an answer can become, and their attributes. */
const ALLOWED: Record<string, string[]> = {
  a: ['href', 'target', 'rel', 'title'],
  button: ['type', 'class', 'data-mark', 'aria-label'],
  div: ['class', 'tabindex', 'role', 'aria-label'],
  figure: ['class'],
  input: ['type', 'disabled', 'checked', 'aria-label'],
  li: ['class', 'data-note', 'tabindex'],
  ol: ['start'],
  pre: ['tabindex', 'role', 'aria-label'],
  section: ['class', 'aria-label'],
  span: ['class', 'tabindex', 'role', 'aria-label'],
  table: ['style', 'dir'],
  td: ['class'],
  p: ['class'],
  th: ['class'],
};
const PLAIN = 'blockquote br code del em figcaption h3 h4 h5 h6 hr strong sup tbody thead tr ul'.split(' ');
const MATH =
  /^(?:math|menclose|merror|m(?:i|n|o|s|row|text|space|frac|sqrt|root|style|padded|phantom|table|tr|td)|m(?:sub|sup|subsup|under|over|underover)|semantics)$/;
const MATH_ATTRIBUTES = /^(?!on|href|src|style|class|id)[a-z]+$/;
const ADDRESS = /^(?:https?|mailto):/;

const { browser, server } = useStandIn();

/** Answers that are tried one after another on one page. */
const AT_ONCE = 9;
const groups = Array.from({ length: Math.ceil(HOSTILE_ANSWERS.length / AT_ONCE) }, (_, index) =>
  HOSTILE_ANSWERS.slice(index * AT_ONCE, (index + 1) * AT_ONCE),
);

it.each(groups.map((group) => [group.map(([name]) => name).join(', '), group] as const))(
  'does no harm: %s',
  { timeout: 120_000 },
  async (_names, group) => {
    const { page, problems } = await openPage(browser, server.url);
    const events = watch(page);
    for (const [name, content] of group) {
      await reply(page, 'A question', content, [
        content.slice(0, content.length / 2),
        content.slice(content.length / 2),
      ]);
      expect([name, await elementsOf(page)]).toEqual([name, []]);
      expect([name, events, problems]).toEqual([name, [], []]);
    }
    await reply(page, 'The next question', 'All is well.', []);
    expect(await lastTurn(page).locator('.text').innerText()).toBe('All is well.');
    // Late parts have changed the answers once more by then.
    await page.waitForLoadState('networkidle');
    expect(await elementsOf(page)).toEqual([]);
    expect(await page.title()).not.toContain('harmed');
    expect([events, problems]).toEqual([[], []]);
  },
);

/** Asks, and lets the server answer with some pieces and then the whole text. */
async function reply(page: Page, question: string, answer: string, pieces: string[]): Promise<void> {
  const before = server.exchanges.length;
  await askInPage(page, question);
  await eventually(() => server.exchanges.length > before);
  const { send, response } = server.exchanges.at(-1) as Exchange;
  for (const text of pieces) send('token', { text });
  send('done', doneWith(answer, 'a-session'));
  response.end();
  await lastTurn(page).and(page.locator('[data-state="answered"]')).waitFor({ timeout: 40_000 });
}

/** What an answer must not cause: dialogs, new windows, navigations, requests to other hosts. */
function watch(page: Page): string[] {
  const events: string[] = [];
  page.on('dialog', (dialog) => {
    events.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('popup', (popup) => events.push(`window ${popup.url()}`));
  page.on('framenavigated', (frame) => {
    if (!frame.url().startsWith(`${server.url}/#session=`)) events.push(`navigation ${frame.url()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url)) events.push(`request ${request.url()}`);
  });
  return events;
}

/** The elements and attributes of the answers that are not allowed. */
async function elementsOf(page: Page): Promise<string[]> {
  const kinds = await page.evaluate<string[]>(`[...new Set(
    [...document.querySelectorAll('.turn .text *')].flatMap((each) => [
      each.localName,
      ...[...each.attributes].map(({ name, value }) =>
        each.localName + ' ' + name + (name === 'href' ? ' ' + value : '')),
    ]),
  )]`);
  return kinds.filter((kind) => !isAllowed(kind));
}

function isAllowed(kind: string): boolean {
  const [name = '', attribute, ...value] = kind.split(' ');
  if (MATH.test(name))
    return attribute === undefined || MATH_ATTRIBUTES.test(attribute) || kind === 'mtd class';
  if (attribute === undefined) return PLAIN.includes(name) || Object.hasOwn(ALLOWED, name);
  if (attribute === 'href' && !ADDRESS.test(value.join(' '))) return false;
  return Object.hasOwn(ALLOWED, name) && (ALLOWED[name]?.includes(attribute) ?? false);
}
