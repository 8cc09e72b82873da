/**
 * What the page looks like where things meet: details, messages, paper, writing from the right, formulas; and its keys.
 * @module-tag browser
 * @module-tag long
 */
import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/app.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith } from './stand-in.ts';

const { app, browser, server } = useStandIn();

const wide = { viewport: { width: 1280, height: 700 } };

/** Opens the page, and lets the model give this answer. */
async function openWith(answer: string, options = {}) {
  const opened = await openPage(browser, app.url, { ...wide, ...options });
  app.emulator.failNext({ kind: 'answer', content: answer });
  await askInPage(opened.page, `Show ${crypto.randomUUID()}`);
  await lastTurn(opened.page).locator('.facts').waitFor();
  return opened;
}

async function boxOf(locator: Locator) {
  const box = await locator.boundingBox();
  if (!box) throw new Error('It is not shown.');
  return { ...box, right: box.x + box.width, bottom: box.y + box.height };
}

const message = (role: string, content: string, at: number) => ({ role, content, position: `p${at}` });

/** A page of a session on the server. */
const pageOf = (at: number, next: string | null) => ({
  session_id: 'paper',
  chat_history: [message('human', `Question ${at}`, at), message('ai', `Answer ${at}`, at)],
  next,
});

const focused = (page: Page) =>
  page.evaluate<string>('document.activeElement.id || document.activeElement.type');

/** The side of its place at which a text is. */
const align = (locator: Locator) =>
  locator.evaluate((found) => {
    const range = found.ownerDocument.createRange();
    range.selectNodeContents(found);
    const [text, box] = [range.getBoundingClientRect(), found.getBoundingClientRect()];
    return text.left - box.left > box.right - text.right ? 'right' : 'left';
  });

it('details that are opened at the end of the page are in view', async () => {
  const { page } = await openWith('Some text.\n\n'.repeat(30));
  await lastTurn(page).locator('summary').click();
  const details = await boxOf(lastTurn(page).locator('.measured'));
  const composer = await boxOf(page.locator('.box'));
  await expect
    .poll(async () => {
      const [now, input] = [
        await boxOf(lastTurn(page).locator('.measured')),
        await boxOf(page.locator('.box')),
      ];
      return now.bottom <= input.y || now.y < 200;
    })
    .toBe(true);
  expect(details.height).toBeGreaterThan(100);
  expect(composer.height).toBeGreaterThan(0);
});

it.each([320, 1280])('a message covers nothing, at %i px', async (width) => {
  const { page } = await openWith('Some text.\n\n'.repeat(30), {
    viewport: { width, height: 700 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await lastTurn(page).getByRole('button', { name: 'Copy answer' }).click();
  await page.locator('.toast').waitFor();
  const toast = await boxOf(page.locator('.toast'));
  for (const other of [page.locator('.box'), lastTurn(page).getByRole('button', { name: 'Copy answer' })]) {
    const { y, bottom } = await boxOf(other);
    expect(y >= toast.bottom || bottom <= toast.y).toBe(true);
  }
  expect(await overflow(page)).toBe(0);
});

describe('on paper', () => {
  it('is the whole conversation without anything to press, also its earlier pages', async () => {
    server.sessions.set('paper', pageOf(2, '/sessions/paper?before=2'));
    server.sessions.set('paper?before=2', pageOf(1, null));
    const { page, problems } = await openPage(browser, `${server.url}/#session=paper`, wide);
    await lastTurn(page).getByText('Answer 2').waitFor();
    await page.evaluate('window.print = () => (window.printed = document.body.innerText)');
    await page.keyboard.press('Control+p');
    await eventually(async () => (await page.evaluate('window.printed')) !== undefined);
    expect(await page.evaluate('window.printed')).toMatch(/Question 1[^]*Answer 1[^]*Question 2[^]*Answer 2/);
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('button:visible, textarea:visible, nav:visible, aside:visible').count()).toBe(
      0,
    );
    expect(problems).toEqual([]);
  });

  it('has wide code, tables and formulas without a clipped end', async () => {
    const long = 'word'.repeat(60);
    const formula = Array.from({ length: 60 }, (_, at) => `x_{${at}}`).join('+');
    const { page } = await openWith(
      `\`\`\`\n${long}\n\`\`\`\n\n| a | b |\n|---|---|\n| ${long} | 1 |\n\n$$${formula}$$`,
    );
    await page.locator('math').waitFor();
    await page.emulateMedia({ media: 'print' });
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    const clipped = await page.evaluate<
      string[]
    >(`[...document.querySelectorAll('pre, .scroll, .math.display')]
      .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.className || each.tagName)`);
    expect(clipped).toEqual([]);
  });
});

it('a long table scrolls sideways only', async () => {
  const rows = Array.from({ length: 40 }, (_, at) => `| ${'word '.repeat(30)} | ${at} |`).join('\n');
  const { page } = await openWith(`| a | b |\n|---|---|\n${rows}`);
  const [height, whole] = await page.evaluate<[number, number]>(
    '(({ clientHeight, scrollHeight }) => [clientHeight, scrollHeight])(document.querySelector(".scroll"))',
  );
  expect(height).toBe(whole);
});

it('an answer from the right has its code from the left, and its numbers in their column', async () => {
  const { page } = await openWith(
    'هذا جدول\n\n| المدينة | السكان |\n|---|---|\n| باريس | 2 |\n| روما | 3,5 |\n\n```ts\nconst a = 1;\n```',
  );
  const cell = lastTurn(page).getByRole('cell', { name: '2', exact: true });
  expect(await align(cell)).toBe('right');
  expect(await align(lastTurn(page).locator('pre code'))).toBe('left');
  const code = await boxOf(lastTurn(page).locator('pre code'));
  const block = await boxOf(lastTurn(page).locator('pre'));
  expect(code.x - block.x).toBeLessThan(40);
});

it('letters of number sets, cases and aligned equations are set as they should be', async () => {
  const { page } = await openWith(
    'Let $\\mathbb{R}$, $\\mathcal{L}$ and $\\mathbf{x}$.\n\n' +
      '$$f(x)=\\begin{cases} x & \\text{if } x > 0 \\\\ -100 & \\text{otherwise} \\end{cases}$$\n\n' +
      '$$\\begin{aligned} aaaa &= b \\\\ c &= dddd \\end{aligned}$$',
  );
  await page.locator('math').nth(4).waitFor();
  expect(await page.locator('math').nth(0).textContent()).toBe('ℝ');
  expect(await page.locator('math').nth(1).textContent()).toBe('ℒ');
  expect(await page.locator('math').nth(2).textContent()).toBe('𝐱');
  const contents = (nth: number) =>
    page
      .locator('math')
      .nth(nth)
      .locator('mtd > *')
      .evaluateAll((cells) =>
        cells.map((cell) => cell.getBoundingClientRect()).map(({ left, right }) => ({ left, right })),
      );
  const [x, , minus] = await contents(3);
  expect(Math.abs((x?.left ?? 0) - (minus?.left ?? 1000))).toBeLessThan(1);
  const [a, b, c, d] = await contents(4);
  expect(Math.abs((a?.right ?? 0) - (c?.right ?? 1000))).toBeLessThan(1);
  expect(Math.abs((b?.left ?? 0) - (d?.left ?? 1000))).toBeLessThan(1);
  // The two sides belong together.
  expect((b?.left ?? 1000) - (a?.right ?? 0)).toBeLessThan(3);
});

describe('the keys', () => {
  it('start a conversation, go to the input, copy the last answer, and are listed', async () => {
    const { page, problems } = await openWith('To **copy**', {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await page.getByRole('button', { name: 'More' }).focus();
    await page.keyboard.press('Control+Shift+C');
    await page.getByText('The answer was copied.').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('To **copy**');
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Copy the last answer').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Shift+Escape');
    expect(await focused(page)).toBe('question');
    await page.keyboard.type('Really?');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('Control+Shift+O');
    await page.getByText('What would you like to know?').waitFor();
    expect(await page.locator('.turn').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('search titles and texts', async () => {
    for (const [title, text] of [
      ['Pets', 'About a Zebra.'],
      ['Zebra crossing', 'On streets.'],
      ['Food', 'About bread.'],
    ] as const)
      server.sessions.set(`found ${title}`, {
        session_id: `found ${title}`,
        chat_history: [
          { role: 'human', content: title },
          { role: 'ai', content: text },
        ],
        next: null,
      });
    const entries = ['Pets', 'Zebra crossing', 'Food'].map((title, at) => ({
      id: `found ${title}`,
      title,
      usedAt: Date.now() - at,
    }));
    const { page, problems } = await openPage(browser, server.url, wide);
    await page.evaluate(`localStorage.setItem('ask.sessions', ${JSON.stringify(JSON.stringify(entries))})`);
    await page.reload();
    await page.getByRole('link', { name: 'Pets' }).waitFor();
    await page.keyboard.press('Control+k');
    expect(await focused(page)).toBe('search');
    await page.keyboard.type('zebra');
    await page.getByRole('link', { name: 'Zebra crossing' }).waitFor();
    await page.getByRole('link', { name: 'Pets' }).waitFor();
    await page.getByRole('link', { name: 'Food' }).waitFor({ state: 'detached' });
    expect(problems).toEqual([]);
  });
});

it('a quota that is waited for is said, with the seconds left, until the answer comes', async () => {
  const { page, problems } = await openPage(browser, server.url);
  const count = server.exchanges.length;
  await askInPage(page, 'Wait for it');
  await eventually(() => server.exchanges.length > count);
  const exchange = server.exchanges.at(-1);
  exchange?.send('session', { session_id: exchange.sessionId, offset: 0 });
  exchange?.send('status', { state: 'rate_limited', retry_in: 42 });
  await lastTurn(page)
    .getByText(/The quota is used up, 4[12] s left/)
    .waitFor();
  exchange?.send('done', doneWith('At last.', exchange.sessionId ?? ''));
  await lastTurn(page).getByText('At last.').waitFor();
  expect(await lastTurn(page).getByText('The quota').count()).toBe(0);
  expect(problems).toEqual([]);
});
